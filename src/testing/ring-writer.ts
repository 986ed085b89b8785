import {
  COMMAND_ENTRY_MIN,
  header,
  mailbox,
  mailboxFlag,
  MAILBOX_VERSION,
  op,
  OP_ALIGN,
  OP_MASK,
  request,
  response,
  tmr,
  userFlag,
} from '../ring/abi.js';
import type { Run } from './data-area.js';

const align = (bytes: number): number => Math.ceil(bytes / OP_ALIGN) * OP_ALIGN;

/** Bytes of a command's entry: iovecs, then the CDB. */
export function commandEntrySize(iovecs: number, cdbLength: number): number {
  return Math.max(request.iov + request.iovSize * iovecs, COMMAND_ENTRY_MIN) + align(cdbLength);
}

/** A response as it stands in an entry. */
export interface RingResponse {
  readonly op: number;
  readonly id: number;
  readonly unknownOp: boolean;
  readonly keepBuffer: boolean;
  /** Undefined where READ_LEN is not set. */
  readonly readLength: number | undefined;
  readonly status: number;
  readonly sense: Uint8Array;
}

/** The producer's side of mailbox and ring: what the kernel writes, and how it reads the answers. */
export class RingWriter {
  #view: DataView;
  readonly #ringOffset = mailbox.size;

  constructor(
    memory: ArrayBuffer,
    readonly ringSize: number,
  ) {
    this.#view = new DataView(memory);
    this.#view.setUint16(mailbox.version, MAILBOX_VERSION, true);
    const { outOfOrder, readLength, taskManagement, keepBuffer } = mailboxFlag;
    this.#view.setUint16(mailbox.flags, outOfOrder | readLength | taskManagement | keepBuffer, true);
    this.#view.setUint32(mailbox.ringOffset, this.#ringOffset, true);
    this.#view.setUint32(mailbox.ringSize, ringSize, true);
  }

  /** The same bytes moved to another ArrayBuffer. */
  set memory(memory: ArrayBuffer) {
    this.#view = new DataView(memory);
  }

  get head(): number {
    return this.#view.getUint32(mailbox.head, true);
  }

  set head(position: number) {
    this.#view.setUint32(mailbox.head, position, true);
  }

  get tail(): number {
    return this.#view.getUint32(mailbox.tail, true);
  }

  set tail(position: number) {
    this.#view.setUint32(mailbox.tail, position, true);
  }

  /**
   * Whether an entry fits behind the head; one byte always stays free, so that full and empty differ.
   * @param cleaned how far completions were taken
   */
  hasRoom(size: number, cleaned: number): boolean {
    const toEnd = this.ringSize - this.head;
    const needed = toEnd >= size ? size : size + toEnd;
    const used = (this.head - cleaned + this.ringSize) % this.ringSize;
    return this.ringSize - used - 1 >= needed;
  }

  /** Fill the ring up to its end where an entry of `size` would cross it. */
  #pad(size: number): void {
    const toEnd = this.ringSize - this.head;
    if (toEnd >= size) return;
    this.#header(toEnd, op.pad, 0);
    this.head = 0;
  }

  #header(length: number, operation: number, id: number): number {
    const at = this.#ringOffset + this.head;
    this.#view.setUint32(at + header.lengthAndOp, length | operation, true);
    this.#view.setUint16(at + header.commandId, id, true);
    this.#view.setUint8(at + header.kernelFlags, 0);
    this.#view.setUint8(at + header.userFlags, 0);
    return at;
  }

  #advance(length: number): void {
    this.head = (this.head + length) % this.ringSize;
  }

  writeCommand(id: number, cdb: Uint8Array, data: readonly Run[], bidi: readonly Run[]): void {
    const runs = [...data, ...bidi];
    const length = commandEntrySize(runs.length, cdb.length);
    this.#pad(length);
    const at = this.#header(length, op.command, id);
    const cdbAt = at + length - align(cdb.length);
    this.#view.setUint32(at + request.iovCount, data.length, true);
    this.#view.setUint32(at + request.bidiIovCount, bidi.length, true);
    this.#view.setUint32(at + request.difIovCount, 0, true);
    this.#view.setBigUint64(at + request.cdbOffset, BigInt(cdbAt), true);
    runs.forEach((run, index) => {
      const iov = at + request.iov + request.iovSize * index;
      this.#view.setBigUint64(iov, BigInt(run.offset), true);
      this.#view.setBigUint64(iov + 8, BigInt(run.length), true);
    });
    new Uint8Array(this.#view.buffer, cdbAt, cdb.length).set(cdb);
    this.#advance(length);
  }

  writeTaskManagement(type: number, ids: readonly number[]): void {
    const length = RingWriter.taskManagementSize(ids.length);
    this.#pad(length);
    const at = this.#header(length, op.taskManagement, 0);
    this.#view.setUint8(at + tmr.type, type);
    this.#view.setUint32(at + tmr.commandCount, ids.length, true);
    ids.forEach((id, index) => this.#view.setUint16(at + tmr.commandIds + 2 * index, id, true));
    this.#advance(length);
  }

  static taskManagementSize(ids: number): number {
    return tmr.commandIds + align(2 * ids);
  }

  /** Put bytes on the ring as they are, after a PAD where they would cross its end. */
  writeRaw(bytes: Uint8Array): void {
    this.#pad(bytes.length);
    new Uint8Array(this.#view.buffer, this.#ringOffset + this.head, bytes.length).set(bytes);
    this.#advance(bytes.length);
  }

  /** The entry at `position`, as the consumer left it, and where the next one begins. */
  readResponse(position: number): { response: RingResponse; next: number } {
    const at = this.#ringOffset + position;
    const lengthAndOp = this.#view.getUint32(at + header.lengthAndOp, true);
    const flags = this.#view.getUint8(at + header.userFlags);
    return {
      next: (position + ((lengthAndOp & ~OP_MASK) >>> 0)) % this.ringSize,
      response: {
        op: lengthAndOp & OP_MASK,
        id: this.#view.getUint16(at + header.commandId, true),
        unknownOp: (flags & userFlag.unknownOp) !== 0,
        keepBuffer: (flags & userFlag.keepBuffer) !== 0,
        readLength:
          (flags & userFlag.readLength) === 0
            ? undefined
            : this.#view.getUint32(at + response.readLength, true),
        status: this.#view.getUint8(at + response.scsiStatus),
        sense: new Uint8Array(
          this.#view.buffer.slice(at + response.sense, at + response.sense + response.senseSize),
        ),
      },
    };
  }
}
