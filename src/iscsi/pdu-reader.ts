// HOT PATH: every byte an initiator sends goes through feed(); a PDU that lies in one chunk is not copied.
import { digestMatches } from './crc32c.js';
import { BHS_LENGTH, paddedLength } from './pdu.js';

/** The stream is no sequence of PDUs that can be taken: the connection cannot go on. */
export class FramingError extends Error {
  override readonly name = 'FramingError';
}

/**
 * Told of each PDU. The views are valid as long as they are held: the reader does not write to them again.
 */
export interface PduSink {
  /**
   * @param bytes holds the PDU
   * @param at where its basic header segment begins
   * @param ahsLength bytes of additional header segments, which follow it
   * @param dataStart where the data segment begins
   * @param dataLength bytes of it, without padding
   * @returns false to stop reading: the connection is closed
   */
  pdu(bytes: Buffer, at: number, ahsLength: number, dataStart: number, dataLength: number): boolean;
  /** A PDU whose header is sound and whose data segment is not. @returns as pdu() */
  damagedPdu(bytes: Buffer, at: number): boolean;
}

/** Cuts a byte stream into PDUs (RFC 7143 11.1). Holds at most one of them, whose length is checked first. */
export class PduReader {
  headerDigest = false;
  dataDigest = false;
  /** Data segments may be this long; a longer one ends the connection before anything is allocated for it. */
  maxDataLength: number;
  readonly #sink: PduSink;
  /** The beginning of a header. */
  readonly #header = Buffer.alloc(BHS_LENGTH);
  #headerFilled = 0;
  /** A PDU that came in part. */
  #pending: Buffer | undefined;
  #filled = 0;

  constructor(sink: PduSink, maxDataLength: number) {
    this.#sink = sink;
    this.maxDataLength = maxDataLength;
  }

  /** Bytes that are held of a PDU that has not come in whole. */
  get buffered(): number {
    return this.#pending?.length ?? this.#headerFilled;
  }

  /** @throws FramingError */
  feed(chunk: Buffer): void {
    let at = 0;
    const { length } = chunk;
    while (at < length) {
      if (this.#pending) {
        const taken = Math.min(this.#pending.length - this.#filled, length - at);
        chunk.copy(this.#pending, this.#filled, at, at + taken);
        this.#filled += taken;
        at += taken;
        if (this.#filled < this.#pending.length) return;
        const whole = this.#pending;
        this.#pending = undefined;
        if (!this.#deliver(whole, 0)) return;
      } else if (this.#headerFilled > 0 || length - at < BHS_LENGTH) {
        const taken = Math.min(BHS_LENGTH - this.#headerFilled, length - at);
        chunk.copy(this.#header, this.#headerFilled, at, at + taken);
        this.#headerFilled += taken;
        at += taken;
        if (this.#headerFilled < BHS_LENGTH) return;
        this.#headerFilled = 0;
        if (!this.#gather(this.#header, 0, BHS_LENGTH)) return;
      } else {
        const total = this.#totalLength(chunk, at);
        if (length - at < total) {
          this.#gather(chunk, at, length);
          return;
        }
        if (!this.#deliver(chunk, at)) return;
        at += total;
      }
    }
  }

  /** Begin a PDU of its own buffer with what is there of it. */
  #gather(bytes: Buffer, at: number, end: number): boolean {
    const total = this.#totalLength(bytes, at);
    const pending = Buffer.allocUnsafeSlow(total);
    bytes.copy(pending, 0, at, end);
    if (end - at === total) return this.#deliver(pending, 0);
    this.#pending = pending;
    this.#filled = end - at;
    return true;
  }

  #totalLength(bytes: Buffer, at: number): number {
    const dataLength = (bytes[at + 5] << 16) | (bytes[at + 6] << 8) | bytes[at + 7];
    if (dataLength > this.maxDataLength) {
      throw new FramingError(`a data segment of ${dataLength} bytes, ${this.maxDataLength} may be sent`);
    }
    let total = BHS_LENGTH + bytes[at + 4] * 4 + paddedLength(dataLength);
    if (this.headerDigest) total += 4;
    if (this.dataDigest && dataLength > 0) total += 4;
    return total;
  }

  #deliver(bytes: Buffer, at: number): boolean {
    const ahsLength = bytes[at + 4] * 4;
    const dataLength = (bytes[at + 5] << 16) | (bytes[at + 6] << 8) | bytes[at + 7];
    let dataStart = at + BHS_LENGTH + ahsLength;
    if (this.headerDigest) {
      // Where a PDU ends is part of the header: a wrong one loses the stream (RFC 7143 7.8).
      if (!digestMatches(bytes, at, dataStart)) throw new FramingError('a header digest is wrong');
      dataStart += 4;
    }
    if (this.dataDigest && dataLength > 0) {
      if (!digestMatches(bytes, dataStart, dataStart + paddedLength(dataLength))) {
        return this.#sink.damagedPdu(bytes, at);
      }
    }
    return this.#sink.pdu(bytes, at, ahsLength, dataStart, dataLength);
  }
}
