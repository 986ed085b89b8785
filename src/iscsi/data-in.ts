// HOT PATH: a READ is filled in where it will be sent from.
import { writeUint24, writeUint32 } from '../scsi/big-endian.js';
import type { BufferPool } from './buffer-pool.js';
import type { CommandTask } from './command-task.js';
import { appendDigest } from './crc32c.js';
import { BHS_LENGTH, FINAL, paddedLength, pduOpcode } from './pdu.js';

/** How Data-In is cut into PDUs on a connection. */
export interface DataInFormat {
  readonly headerDigest: boolean;
  readonly dataDigest: boolean;
  /** The initiator's MaxRecvDataSegmentLength, in bytes. */
  readonly segmentLength: number;
  readonly burstLength: number;
}

/** Numbers that go into each header. */
export interface DataInNumbers {
  statSn: number;
  expCmdSn: number;
  maxCmdSn: number;
}

/** Byte 1: this PDU carries the status as well (phase collapse). */
const STATUS = 0x01;

function pieceLength(offset: number, length: number, segmentLength: number, burstLength: number): number {
  return Math.min(length - offset, segmentLength, burstLength - (offset % burstLength));
}

/** Bytes that `length` bytes of Data-In take as PDUs. */
export function dataInSize(length: number, format: DataInFormat): number {
  const { headerDigest, dataDigest, segmentLength, burstLength } = format;
  const overhead = BHS_LENGTH + (headerDigest ? 4 : 0) + (dataDigest ? 4 : 0);
  if (length <= segmentLength && length <= burstLength) return overhead + paddedLength(length);
  let size = 0;
  for (let offset = 0; offset < length;) {
    const piece = pieceLength(offset, length, segmentLength, burstLength);
    size += overhead + paddedLength(piece);
    offset += piece;
  }
  return size;
}

/** Give the task a Data-In buffer of `length` bytes: one segment for each PDU, with room for headers between. */
export function prepareDataIn(
  task: CommandTask,
  length: number,
  format: DataInFormat,
  pool: BufferPool,
): void {
  const { headerDigest, dataDigest, segmentLength, burstLength } = format;
  const buffer = pool.take(dataInSize(length, format));
  const header = BHS_LENGTH + (headerDigest ? 4 : 0);
  task.buffer = buffer;
  task.segmentLimit = segmentLength;
  let at = 0;
  for (let offset = 0; offset < length;) {
    const piece = pieceLength(offset, length, segmentLength, burstLength);
    at += header;
    task.dataIn.add(buffer.subarray(at, at + piece));
    at += paddedLength(piece) + (dataDigest ? 4 : 0);
    offset += piece;
  }
}

/**
 * Turn the filled buffer into Data-In PDUs.
 * @param valid bytes, more than 0
 * @param collapse flags and residual of the status GOOD, to go with the last PDU; undefined to send it apart
 * @returns the bytes to send
 */
export function formatDataIn(
  task: CommandTask,
  valid: number,
  format: DataInFormat,
  numbers: DataInNumbers,
  collapse: { flags: number; residual: number } | undefined,
): Buffer {
  const { headerDigest, dataDigest, burstLength } = format;
  const { segmentLimit } = task;
  const buffer = task.buffer!;
  let at = 0;
  let dataSn = 0;
  for (let offset = 0; offset < valid; dataSn++) {
    // Where it was laid out to end, which lies past `valid` in the last one of a short answer.
    const length = Math.min(
      pieceLength(offset, task.dataIn.byteLength, segmentLimit, burstLength),
      valid - offset,
    );
    const last = offset + length === valid;
    const endsBurst = last || (offset + length) % burstLength === 0;
    buffer[at] = pduOpcode.dataIn;
    buffer[at + 1] = endsBurst ? FINAL : 0;
    buffer[at + 2] = buffer[at + 3] = buffer[at + 4] = 0;
    writeUint24(buffer, at + 5, length);
    // The LUN is reserved without the A bit.
    buffer.fill(0, at + 8, at + 16);
    writeUint32(buffer, at + 16, task.itt);
    writeUint32(buffer, at + 20, 0xffffffff);
    writeUint32(buffer, at + 24, 0);
    writeUint32(buffer, at + 28, numbers.expCmdSn);
    writeUint32(buffer, at + 32, numbers.maxCmdSn);
    writeUint32(buffer, at + 36, dataSn);
    writeUint32(buffer, at + 40, offset);
    writeUint32(buffer, at + 44, 0);
    if (last && collapse) {
      buffer[at + 1] |= STATUS | collapse.flags;
      writeUint32(buffer, at + 24, numbers.statSn);
      writeUint32(buffer, at + 44, collapse.residual);
    }
    at += BHS_LENGTH;
    if (headerDigest) {
      appendDigest(buffer, at - BHS_LENGTH, at);
      at += 4;
    }
    const padded = paddedLength(length);
    for (let pad = length; pad < padded; pad++) buffer[at + pad] = 0;
    if (dataDigest) {
      appendDigest(buffer, at, at + padded);
      at += 4;
    }
    at += padded;
    offset += length;
  }
  return buffer.subarray(0, at);
}
