// HOT PATH: Data-Out stays where it was received; the views become the command's segments.
import { readUint32 } from '../scsi/big-endian.js';
import type { CommandTask } from './command-task.js';
import { FINAL, RESERVED_TAG } from './pdu.js';

/** An R2T that was sent and is not served yet (RFC 7143 11.8). */
export interface R2t {
  readonly ttt: number;
  readonly r2tSn: number;
  /** Of the whole Data-Out, in bytes. */
  readonly offset: number;
  readonly length: number;
  received: number;
  dataSn: number;
}

/** What the terms of a session say of Data-Out. */
export interface DataOutTerms {
  readonly firstBurstLength: number;
  readonly maxBurstLength: number;
  readonly maxOutstandingR2T: number;
}

/** Additional sense of faulty Data-Out (RFC 7143 11.4.7.2), with the key ABORTED COMMAND. */
export const dataOutFault = {
  unexpectedUnsolicitedData: 0x0c0c,
  incorrectAmountOfData: 0x0c0d,
  protocolServiceCrcError: 0x4705,
} as const;

/** Pieces a command's Data-Out is kept in; beyond, they are copied together. */
const MAX_SEGMENTS = 64;

/** Take a piece of Data-Out, the next in order. */
export function addDataOut(task: CommandTask, piece: Uint8Array): void {
  const { dataOut } = task;
  if (task.gathered) {
    task.gathered.set(piece, dataOut.byteLength);
  } else if (dataOut.segments.length < MAX_SEGMENTS) {
    dataOut.add(piece);
    return;
  } else {
    const gathered = new Uint8Array(task.wanted);
    let at = 0;
    for (const segment of dataOut.segments) {
      gathered.set(segment, at);
      at += segment.length;
    }
    gathered.set(piece, at);
    task.gathered = gathered;
  }
  dataOut.byteLength += piece.length;
}

/** All has come: the gathered copy becomes the one segment. */
export function closeDataOut({ dataOut, gathered }: CommandTask): void {
  if (!gathered) return;
  const { byteLength } = dataOut;
  dataOut.clear();
  dataOut.add(gathered.subarray(0, byteLength));
}

/** Ask for what is missing: calls `send` for each R2T that may be outstanding now. */
export function requestDataOut(
  task: CommandTask,
  terms: DataOutTerms,
  nextTag: () => number,
  send: (r2t: R2t) => void,
): void {
  while (task.requested < task.wanted && task.r2ts.length < terms.maxOutstandingR2T) {
    const offset = task.requested;
    const length = Math.min(task.wanted - offset, terms.maxBurstLength);
    const r2t: R2t = { ttt: nextTag(), r2tSn: task.r2tSn++, offset, length, received: 0, dataSn: 0 };
    task.r2ts.push(r2t);
    task.requested += length;
    send(r2t);
  }
}

/**
 * Take a Data-Out PDU of the task. Data come in order (DataPDUInOrder and DataSequenceInOrder are Yes); a PDU that
 * is out of order marks the command as failed, and the rest of its sequence is let pass.
 * @returns true where a sequence ended: an R2T may follow, or the command is complete
 */
export function takeDataOutPdu(
  task: CommandTask,
  bytes: Buffer,
  at: number,
  dataStart: number,
  dataLength: number,
  terms: DataOutTerms,
): boolean {
  const ttt = readUint32(bytes, at + 20);
  const dataSn = readUint32(bytes, at + 36);
  const offset = readUint32(bytes, at + 40);
  const final = (bytes[at + 1] & FINAL) !== 0;
  const received = task.dataOut.byteLength;
  if (ttt === RESERVED_TAG) {
    if (!task.unsolicited) return false;
    const limit = Math.min(task.wanted, terms.firstBurstLength);
    if (offset + dataLength > limit) task.dataOutFault ||= dataOutFault.incorrectAmountOfData;
    if (dataSn !== task.unsolicitedDataSn++ || offset !== received) {
      task.dataOutFault ||= dataOutFault.protocolServiceCrcError;
    }
    if (task.dataOutFault === 0) {
      addDataOut(task, bytes.subarray(dataStart, dataStart + dataLength));
      task.requested = task.dataOut.byteLength;
    }
    if (final) task.unsolicited = false;
    return final;
  }
  const [r2t] = task.r2ts;
  if (r2t === undefined || r2t.ttt !== ttt) {
    if (!task.r2ts.some((other) => other.ttt === ttt)) return false;
    // Of a later R2T, while an earlier one is not served.
    task.dataOutFault ||= dataOutFault.protocolServiceCrcError;
    task.r2ts.length = 0;
    return final;
  }
  if (r2t.received + dataLength > r2t.length) task.dataOutFault ||= dataOutFault.incorrectAmountOfData;
  if (dataSn !== r2t.dataSn++ || offset !== r2t.offset + r2t.received) {
    task.dataOutFault ||= dataOutFault.protocolServiceCrcError;
  }
  r2t.received += dataLength;
  if (task.dataOutFault === 0 && dataLength > 0) {
    addDataOut(task, bytes.subarray(dataStart, dataStart + dataLength));
  }
  if (!final) return false;
  task.r2ts.shift();
  if (r2t.received < r2t.length) task.dataOutFault ||= dataOutFault.incorrectAmountOfData;
  return true;
}
