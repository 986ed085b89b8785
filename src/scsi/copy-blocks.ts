import { afterZeroing, checkWritable, writesThrough } from './commands/block-io.js';
import { copyLimits } from './copy-limits.js';
import type { CopyOperation } from './copy-operations.js';
import type { ByteExtent } from './copy-token.js';
import type { CommandContext } from './disk.js';
import type { Unit } from './unit.js';

/** Where the bytes of a copy come from. */
export interface CopySource {
  readonly unit: Unit;
  /** In the order of the data. */
  readonly extents: readonly ByteExtent[];
  /** Called after each read, before what was read is used. Throws where it is not what was to be copied. */
  readonly check?: () => void;
}

/** Where they go to: `length` bytes from `offset`, of which `copied` come from the source and the rest are zeroes. */
export interface CopyDestination {
  readonly unit: Unit;
  readonly offset: number;
  /** A multiple of the block size, once `offset` is. */
  readonly length: number;
  readonly copied: number;
}

const CHUNK = copyLimits.chunkBytes;

/** The whole blocks around a range. */
function blocksAround(offset: number, length: number, blockSize: number): { start: number; end: number } {
  const start = Math.floor(offset / blockSize) * blockSize;
  return { start, end: Math.ceil((offset + length) / blockSize) * blockSize };
}

/** Fill `bytes` from any byte of the disk on. */
async function readBytes(
  unit: Unit,
  offset: number,
  bytes: Uint8Array,
  context: CommandContext,
): Promise<void> {
  const { start, end } = blocksAround(offset, bytes.length, unit.blockSize);
  if (end - start === bytes.length) {
    await unit.disk.read(bytes, offset, context);
    return;
  }
  const blocks = new Uint8Array(end - start);
  await unit.disk.read(blocks, start, context);
  bytes.set(blocks.subarray(offset - start, offset - start + bytes.length));
}

/** Store `bytes` at any byte of the disk; what else is in the blocks they begin and end in is kept. */
async function writeBytes(
  unit: Unit,
  offset: number,
  bytes: Uint8Array,
  context: CommandContext,
): Promise<void> {
  const { start, end } = blocksAround(offset, bytes.length, unit.blockSize);
  let blocks = bytes;
  if (end - start !== bytes.length) {
    blocks = new Uint8Array(end - start);
    await unit.disk.read(blocks, start, context);
    blocks.set(bytes, offset - start);
  }
  await unit.disk.write!(blocks, start, context);
}

/** Fill `bytes` with what follows `skip` bytes of the source's data. */
async function readExtents(
  source: CopySource,
  skip: number,
  bytes: Uint8Array,
  context: CommandContext,
): Promise<void> {
  let at = 0;
  for (const { offset, length } of source.extents) {
    if (at === bytes.length) break;
    if (skip >= length) {
      skip -= length;
      continue;
    }
    const piece = bytes.subarray(at, at + Math.min(length - skip, bytes.length - at));
    await readBytes(source.unit, offset + skip, piece, context);
    at += piece.length;
    skip = 0;
  }
}

/** Whether the copy must go from its end to its beginning, so as not to read what it wrote. */
function goesBackward({ unit, extents }: CopySource, to: CopyDestination): boolean {
  const [{ offset, length } = { offset: 0, length: 0 }] = extents;
  return unit === to.unit && offset < to.offset && to.offset < offset + length;
}

/** The pieces of a destination: as few as the buffer allows, each but the first beginning at a chunk's boundary. */
function piecesOf({ offset, length }: CopyDestination): ByteExtent[] {
  const pieces: ByteExtent[] = [];
  for (let at = offset; at < offset + length;) {
    const end = Math.min(offset + length, (Math.floor(at / CHUNK) + 1) * CHUNK);
    pieces.push({ offset: at, length: end - at });
    at = end;
  }
  return pieces;
}

/** What a verb is given for a copy to `unit`: stable when done, where that is asked of writes. */
function contextFor(unit: Unit, signal: AbortSignal): CommandContext {
  return { fua: writesThrough(unit), dpo: false, signal };
}

/** Run `job` while none of the units may be closed under it. */
async function using(units: readonly Unit[], job: () => Promise<void>): Promise<void> {
  const entered: Unit[] = [];
  try {
    for (const unit of units) {
      unit.copy.enter();
      entered.push(unit);
    }
    await job();
  } finally {
    for (const unit of entered) unit.copy.leave();
  }
}

/**
 * Copy bytes between two disks, or inside one, in pieces of at most 1 MiB. No other write gets into the
 * destination meanwhile. Tokens that stand for it are revoked. Ranges must be inside both units.
 * @param skip bytes of the source's data to leave out at its beginning
 * @throws SenseError where the destination is read-only; whatever the verbs and the source's check throw
 */
export async function copyBytes(
  source: CopySource,
  skip: number,
  to: CopyDestination,
  operation: CopyOperation,
  signal: AbortSignal,
): Promise<void> {
  const { unit } = to;
  checkWritable(unit);
  if (to.length === 0) return;
  const reading: CommandContext = { fua: false, dpo: false, signal };
  const writing = contextFor(unit, signal);
  const { start, end } = blocksAround(to.offset, to.length, unit.blockSize);
  const pieces = piecesOf(to);
  if (goesBackward(source, to)) pieces.reverse();
  const job = async (): Promise<void> => {
    unit.copy.overwritten(start, end);
    const buffer = new Uint8Array(Math.min(CHUNK, to.length));
    for (const { offset, length } of pieces) {
      signal.throwIfAborted();
      source.unit.copy.checkOpen();
      unit.copy.checkOpen();
      const bytes = buffer.subarray(0, length);
      const done = offset - to.offset;
      const fromSource = Math.max(0, Math.min(length, to.copied - done));
      await readExtents(source, skip + done, bytes.subarray(0, fromSource), reading);
      source.check?.();
      bytes.fill(0, fromSource);
      await writeBytes(unit, offset, bytes, writing);
      operation.bytes += length;
      operation.transfers += 2;
      // Where all verbs are synchronous nothing else would have its turn until the copy is over.
      await unit.pause();
    }
    await afterZeroing(unit, undefined, writing);
  };
  await using([source.unit, unit], () => unit.locks.run(start, end, true, job));
}

/**
 * Write zeroes, in whole blocks: with the disk's own verb where it has one.
 * @throws as copyBytes
 */
export async function zeroBytes(
  unit: Unit,
  { offset, length }: ByteExtent,
  operation: CopyOperation,
  signal: AbortSignal,
): Promise<void> {
  checkWritable(unit);
  if (length === 0) return;
  const { disk } = unit;
  const context = contextFor(unit, signal);
  const job = async (): Promise<void> => {
    unit.copy.overwritten(offset, offset + length);
    const zeroes = disk.writeZeroes ? undefined : new Uint8Array(Math.min(CHUNK, length));
    const pieceLength = zeroes?.length ?? length;
    for (let at = 0; at < length; at += pieceLength) {
      signal.throwIfAborted();
      unit.copy.checkOpen();
      const rest = Math.min(pieceLength, length - at);
      if (zeroes) await disk.write!(zeroes.subarray(0, rest), offset + at, context);
      else await disk.writeZeroes!(offset + at, rest, false, context);
      operation.bytes += rest;
      operation.transfers++;
      await unit.pause();
    }
    await afterZeroing(unit, undefined, context);
  };
  await using([unit], () => unit.locks.run(offset, offset + length, true, job));
}
