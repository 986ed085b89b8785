// HOT PATH: readInto and writeFrom, one call for each READ and WRITE.
import type { DataBuffer, ScsiCommand } from './command.js';
import type { CommandContext, Disk, Done } from './disk.js';
import { additionalSense, senseKey, SenseError } from './sense.js';

/** Bytes of Data-In that are valid. */
export type ValidBytes = number;

/**
 * Whether a verb is not done yet. Handlers may return any thenable: Promise.resolve() makes it a promise, and leaves
 * a promise as it is.
 */
export function isPromise<Value>(value: Value | Promise<Value>): value is Promise<Value> {
  return typeof (value as Promise<Value> | undefined)?.then === 'function';
}

/** The first `length` bytes of `segments`. */
function clip(segments: readonly Uint8Array[], length: number): Uint8Array[] {
  const clipped: Uint8Array[] = [];
  for (const segment of segments) {
    if (length <= 0) break;
    clipped.push(segment.length <= length ? segment : segment.subarray(0, length));
    length -= segment.length;
  }
  return clipped;
}

/** Copy out of `segments`. @returns a contiguous copy of `length` bytes */
export function gather(segments: readonly Uint8Array[], length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const segment of clip(segments, length)) {
    bytes.set(segment, at);
    at += segment.length;
  }
  return bytes;
}

/** Copy `bytes` into `segments`, from their byte `at`. */
function scatter(bytes: Uint8Array, segments: readonly Uint8Array[], at = 0): void {
  let from = -at;
  for (const segment of segments) {
    const start = Math.max(0, -from);
    if (start < segment.length && from < bytes.length) {
      segment.set(bytes.subarray(Math.max(0, from), from + segment.length), start);
    }
    from += segment.length;
  }
}

function zeroFrom(segments: readonly Uint8Array[], at: number): void {
  for (const segment of segments) {
    if (at < segment.length) segment.fill(0, Math.max(0, at));
    at -= segment.length;
  }
}

/**
 * Put parameter data into Data-In, cut to the allocation length and the buffer. The rest of the buffer is
 * zeroed: it is the transport's memory and may hold another command's old data.
 * @param allocationLength bytes, as the CDB says
 */
export function fillDataIn(command: ScsiCommand, data: Uint8Array, allocationLength: number): ValidBytes {
  const { segments, byteLength } = command.dataIn;
  command.transferLength = Math.min(data.length, allocationLength);
  const valid = Math.min(command.transferLength, byteLength);
  scatter(data.subarray(0, valid), segments);
  zeroFrom(segments, valid);
  return valid;
}

/**
 * The parameter list of a command.
 * @param length bytes, as the CDB says; at most 64 KiB can be asked for by any CDB that has one
 * @throws SenseError where Data-Out is shorter
 */
export function takeDataOut(command: ScsiCommand, length: number): Uint8Array {
  const { segments, byteLength } = command.dataOut;
  command.transferLength = length;
  if (byteLength < length) throw shortDataOut(byteLength, length);
  return gather(segments, length);
}

/**
 * As takeDataOut, for the commands whose Data-Out must not be longer either: what came was meant for another
 * number of blocks, so that storing a part of it would be wrong.
 */
export function takeExactDataOut(command: ScsiCommand, length: number): Uint8Array {
  command.transferLength = length;
  if (command.dataOut.byteLength !== length) throw shortDataOut(command.dataOut.byteLength, length);
  return gather(command.dataOut.segments, length);
}

/** The buffer that came does not fit what the CDB asks to be written (FCP-4 9.4.2: shorter than the transfer). */
export function shortDataOut(delivered: number, needed: number): SenseError {
  return new SenseError(
    senseKey.illegalRequest,
    additionalSense.invalidFieldInCommandInformationUnit,
    `the command needs ${needed} bytes of Data-Out, ${delivered} came`,
  );
}

/**
 * The bytes of a WRITE that are to be stored: all that the CDB asks for or, where the transport tells the
 * initiator what is missing, the whole blocks that came.
 * @throws SenseError where Data-Out is shorter and that cannot be told, or it ends inside a block
 */
export function deliveredLength(command: ScsiCommand, needed: number, blockSize: number): number {
  const { byteLength } = command.dataOut;
  command.transferLength = needed;
  if (byteLength >= needed) return needed;
  if (!command.reportsResidual || byteLength % blockSize !== 0) throw shortDataOut(byteLength, needed);
  return byteLength;
}

/** Every boundary between segments is one between blocks. */
function inBlocks(segments: readonly Uint8Array[], blockSize: number): boolean {
  for (let index = 0; index < segments.length; index++) {
    if (segments[index].length % blockSize !== 0) return false;
  }
  return true;
}

/**
 * Wait for all, also where one fails: as long as one runs, the buffer is in use.
 * @throws the first failure
 */
async function settle(running: readonly Promise<void>[], failure?: { error: unknown }): Promise<void> {
  const results = await Promise.allSettled(running);
  if (failure) throw failure.error;
  const failed = results.find((result) => result.status === 'rejected');
  if (failed) throw failed.reason;
}

/** One verb call a segment, the asynchronous ones side by side. */
function pieceByPiece(
  disk: Disk,
  verb: 'read' | 'write',
  segments: readonly Uint8Array[],
  offset: number,
  context: CommandContext,
): Done {
  let running: Promise<void>[] | undefined;
  try {
    for (let index = 0; index < segments.length; index++) {
      const done = disk[verb]!(segments[index], offset, context);
      if (isPromise(done)) (running ??= []).push(done);
      offset += segments[index].length;
    }
  } catch (error) {
    if (!running) throw error;
    return settle(running, { error });
  }
  return running && settle(running);
}

async function bounceRead(
  disk: Disk,
  segments: readonly Uint8Array[],
  offset: number,
  length: number,
  blockSize: number,
  context: CommandContext,
): Promise<void> {
  const bounce = new Uint8Array(Math.ceil(length / blockSize) * blockSize);
  await disk.read(bounce, offset, context);
  scatter(bounce.subarray(0, length), segments);
}

/**
 * Fill Data-In from the disk: `length` bytes, or as many as the buffer holds. One verb call where the
 * buffer has one segment or the disk takes a list, else one for each segment.
 */
export function readInto(
  buffer: DataBuffer,
  disk: Disk,
  offset: number,
  length: number,
  blockSize: number,
  context: CommandContext,
): Done {
  let { segments } = buffer;
  const valid = Math.min(length, buffer.byteLength);
  if (valid < buffer.byteLength) {
    zeroFrom(segments, valid);
    segments = clip(segments, valid);
  }
  if (valid === 0) return;
  if (!inBlocks(segments, blockSize)) return bounceRead(disk, segments, offset, valid, blockSize, context);
  if (segments.length === 1) return disk.read(segments[0], offset, context);
  if (disk.readv) return disk.readv(segments, offset, context);
  return pieceByPiece(disk, 'read', segments, offset, context);
}

/**
 * Store the first `length` bytes of Data-Out, a multiple of the block size.
 * @throws SenseError where Data-Out is shorter
 */
export function writeFrom(
  buffer: DataBuffer,
  disk: Disk,
  offset: number,
  length: number,
  blockSize: number,
  context: CommandContext,
): Done {
  let { segments } = buffer;
  if (buffer.byteLength < length) throw shortDataOut(buffer.byteLength, length);
  if (buffer.byteLength > length) segments = clip(segments, length);
  if (segments.length === 1) return disk.write!(segments[0], offset, context);
  if (!inBlocks(segments, blockSize)) return disk.write!(gather(segments, length), offset, context);
  if (disk.writev) return disk.writev(segments, offset, context);
  return pieceByPiece(disk, 'write', segments, offset, context);
}
