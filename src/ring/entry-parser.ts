// HOT PATH: parse() runs for every command.
import { COMMAND_ENTRY_MIN, header, request } from './abi.js';
import { cdbLengthAt } from './cdb-length.js';
import type { RingRegion } from './region.js';
import type { RingBuffer, RingCommand } from './ring-command.js';
import { badEntry, type RingError } from './ring-error.js';
import { SegmentCache } from './segment-cache.js';

/** Reads command entries: those of the ring, and copies of them. */
export class EntryParser {
  readonly #segments: SegmentCache;
  readonly #ringOffset: number;
  readonly #dataOffset: number;
  readonly #size: number;

  /** The data area begins behind the ring. */
  constructor(region: RingRegion, ringOffset: number, ringSize: number) {
    this.#segments = new SegmentCache(region);
    this.#ringOffset = ringOffset;
    this.#dataOffset = ringOffset + ringSize;
    this.#size = region.size ?? region.buffer.byteLength;
  }

  /**
   * Fill a command, all but its id. Everything is copied out: a response may overwrite the entry at any time.
   * @param at where the entry is in `bytes` and `words`, views of the same memory
   * @param position where it is, or was, in the ring: its CDB is found by that
   */
  parse(
    command: RingCommand,
    bytes: Uint8Array,
    words: Uint32Array,
    at: number,
    length: number,
    position: number,
  ): RingError | undefined {
    if (length < COMMAND_ENTRY_MIN) {
      return badEntry(`the command entry at ${position} has ${length} bytes`);
    }
    const iovCount = words[(at + request.iovCount) >> 2];
    const bidiCount = words[(at + request.bidiIovCount) >> 2];
    const iovEnd = request.iov + request.iovSize * (iovCount + bidiCount);
    if (iovEnd > length) {
      return badEntry(
        `the entry at ${position} says ${iovCount} + ${bidiCount} iovecs, more than ${length} bytes hold`,
      );
    }
    const cdbOffset = words[(at + request.cdbOffset) >> 2];
    const inEntry = cdbOffset - this.#ringOffset - position;
    if (words[(at + request.cdbOffset + 4) >> 2] !== 0 || inEntry < iovEnd || inEntry >= length) {
      return badEntry(`the CDB of the entry at ${position} lies at ${cdbOffset}, outside the entry`);
    }
    const cdbAt = at + inEntry;
    const cdbLength = cdbLengthAt(bytes, cdbAt, length - inEntry);
    command.cdbLength = cdbLength;
    for (let index = 0; index < cdbLength; index++) command.cdb[index] = bytes[cdbAt + index];
    command.bidirectional = bidiCount > 0;
    return (
      this.#takeSegments(command.dataOut, words, at + request.iov, iovCount) ??
      this.#takeSegments(command.bidiDataIn, words, at + request.iov + request.iovSize * iovCount, bidiCount)
    );
  }

  #takeSegments(buffer: RingBuffer, words: Uint32Array, at: number, count: number): RingError | undefined {
    for (let index = 0; index < count; index++, at += request.iovSize) {
      const word = at >> 2;
      // 64-bit fields; no BigInt: what does not fit 53 bits is outside any region.
      const base = words[word] + words[word + 1] * 0x1_0000_0000;
      const length = words[word + 2] + words[word + 3] * 0x1_0000_0000;
      if (base < this.#dataOffset || base + length > this.#size) {
        return badEntry(`an iovec of ${length} bytes at ${base} is outside the data area`);
      }
      if (length > 0) buffer.add(this.#segments.view(base, length));
    }
    buffer.end();
    return undefined;
  }
}

export function uint16At(bytes: Uint8Array, at: number): number {
  return bytes[at] | (bytes[at + 1] << 8);
}

/** cmd_id of the entry at `at`. */
export function commandIdAt(bytes: Uint8Array, at: number): number {
  return uint16At(bytes, at + header.commandId);
}
