// HOT PATH: READ and WRITE.
import type { CommandDefinition, Result } from '../command-definition.js';
import type { ScsiCommand } from '../command.js';
import { isPromise, readInto, shortDataOut, takeDataOut, writeFrom } from '../data-transfer.js';
import type { CommandContext, Disk, Done } from '../disk.js';
import { invalidFieldInCdb } from '../invalid-field.js';
import { additionalSense, senseKey, SenseError } from '../sense.js';
import { hasWriteCache, isReadOnly, type Unit } from '../unit.js';

/** Byte 1 of READ, WRITE and VERIFY of 10 bytes and more. */
const flag = { dpo: 0x10, fua: 0x08, protect: 0xe0, bytchk: 0x06 } as const;

/** Bytes read at a time to check a range that is not transferred. */
const VERIFY_CHUNK = 1024 * 1024;

/** @throws SenseError LBA OUT OF RANGE (SBC-3 4.5: also for a range of no blocks that starts past the end) */
export function checkRange(unit: Unit, lba: number, blocks: number): void {
  if (lba + blocks > unit.blocks || lba >= unit.blocks) {
    if (blocks === 0 && lba === unit.blocks) return;
    throw new SenseError(
      senseKey.illegalRequest,
      additionalSense.lbaOutOfRange,
      `blocks ${lba} to ${lba + blocks - 1} are not all on a disk of ${unit.blocks} blocks`,
    );
  }
}

/** @throws SenseError where nothing may be written */
export function checkWritable(unit: Unit): void {
  if (!isReadOnly(unit.disk) && !unit.modes.softwareWriteProtect) return;
  throw new SenseError(senseKey.dataProtect, additionalSense.writeProtected, 'the disk is read-only');
}

/** No protection information is kept, so none can be checked or transferred (SBC-3 4.22). */
export function checkNoProtection(cdb: Uint8Array): void {
  if ((cdb[1] & flag.protect) !== 0) throw invalidFieldInCdb(1, 'the disk has no protection information', 7);
}

function checkTransferLength(unit: Unit, blocks: number, cdbLength: number): void {
  if (blocks <= unit.limits.maxTransferBlocks) return;
  // The length's first byte: one of 1 byte in CDBs of 6, 2 in those of 10, 4 in those of 12 and 16.
  const byte = cdbLength === 6 ? 4 : cdbLength === 10 ? 7 : cdbLength - 6;
  throw invalidFieldInCdb(
    byte,
    `${blocks} blocks are more than a command may transfer (${unit.limits.maxTransferBlocks})`,
  );
}

/** Set `fua` and `dpo` of the context from a CDB; READ(6) and WRITE(6) have neither. */
function takeFlags(command: ScsiCommand, definition: CommandDefinition): void {
  const { cdb, context } = command;
  const flags = definition.usage.length === 6 ? 0 : cdb[1];
  context.fua = (flags & flag.fua) !== 0;
  context.dpo = (flags & flag.dpo) !== 0;
}

/** The range of a READ, WRITE or VERIFY, checked. @returns its first block */
function startOf(unit: Unit, command: ScsiCommand, definition: CommandDefinition, blocks: number): number {
  const { cdb } = command;
  const lba = definition.address!.lba(cdb);
  if (definition.usage.length !== 6) checkNoProtection(cdb);
  checkTransferLength(unit, blocks, definition.usage.length);
  checkRange(unit, lba, blocks);
  return lba;
}

/** READ(6), (10), (12), (16). */
export function read(unit: Unit, command: ScsiCommand, definition: CommandDefinition): Result {
  const { disk, blockSize } = unit;
  const { context, dataIn } = command;
  const blocks = definition.address!.blocks(command.cdb);
  const lba = startOf(unit, command, definition, blocks);
  takeFlags(command, definition);
  if (blocks === 0) return readInto(dataIn, disk, 0, 0, blockSize, context);
  // FUA asks for what the medium holds: the cache goes there first (SBC-3 5.8).
  if (context.fua && !disk.nativeFua && disk.flush && hasWriteCache(disk)) {
    const flushed = disk.flush(context);
    if (isPromise(flushed)) {
      return Promise.resolve(flushed).then(() =>
        readInto(dataIn, disk, lba * blockSize, blocks * blockSize, blockSize, context),
      );
    }
  }
  return readInto(dataIn, disk, lba * blockSize, blocks * blockSize, blockSize, context);
}

/** WCE is off, on a disk that has a write cache: each write must be stable before it is answered. */
export function writesThrough({ disk, modes }: Unit): boolean {
  return !modes.writeCacheEnabled && hasWriteCache(disk);
}

function thenFlush(disk: Disk, done: Done, context: CommandContext): Done {
  if (!disk.flush) return done;
  if (isPromise(done)) return Promise.resolve(done).then(() => disk.flush!(context));
  return disk.flush(context);
}

/** Make what `write` stored stable, where FUA or a disabled write cache asks for it and the disk has not done so. */
export function afterWrite({ disk }: Unit, done: Done, context: CommandContext): Done {
  return context.fua && !disk.nativeFua ? thenFlush(disk, done, context) : done;
}

/** As afterWrite, for `unmap` and `writeZeroes`: `nativeFua` says nothing of them. */
export function afterZeroing({ disk }: Unit, done: Done, context: CommandContext): Done {
  return context.fua ? thenFlush(disk, done, context) : done;
}

/** Keep `job`, which writes, out of ranges that are held; where it goes on, exclusive ranges wait for it. */
export function whenUnlocked(unit: Unit, offset: number, length: number, job: () => Done): Done {
  if (!unit.locks.idle) return unit.locks.run(offset, offset + length, false, job);
  const done = job();
  if (isPromise(done)) return unit.locks.run(offset, offset + length, false, () => done);
}

function store(unit: Unit, { dataOut, context }: ScsiCommand, offset: number, length: number): Done {
  const done = writeFrom(dataOut, unit.disk, offset, length, unit.blockSize, context);
  return afterWrite(unit, done, context);
}

/** WRITE(6), (10), (12), (16). */
export function write(unit: Unit, command: ScsiCommand, definition: CommandDefinition): Result {
  const { context } = command;
  const blocks = definition.address!.blocks(command.cdb);
  const lba = startOf(unit, command, definition, blocks);
  checkWritable(unit);
  takeFlags(command, definition);
  if (writesThrough(unit)) context.fua = true;
  if (blocks === 0) return;
  const offset = lba * unit.blockSize;
  const length = blocks * unit.blockSize;
  if (!unit.locks.idle) return whenUnlocked(unit, offset, length, () => store(unit, command, offset, length));
  // As whenUnlocked, without a closure for each write.
  const done = store(unit, command, offset, length);
  if (isPromise(done)) return unit.locks.run(offset, offset + length, false, () => done);
}

function compareBytes(found: Uint8Array, expected: Uint8Array, repeat: number, base: number): void {
  for (let at = 0; at < found.length; at++) {
    if (found[at] !== expected[at % repeat]) {
      throw new SenseError(
        senseKey.miscompare,
        additionalSense.miscompareDuringVerify,
        `byte ${base + at} of the range differs`,
        { information: base + at },
      );
    }
  }
}

/** Read the range a piece at a time; compare each with the bytes it should hold, where there are any. */
async function verifyRange(
  unit: Unit,
  context: CommandContext,
  offset: number,
  length: number,
  expected?: Uint8Array,
): Promise<void> {
  const chunk = new Uint8Array(Math.min(length, VERIFY_CHUNK));
  for (let at = 0; at < length; at += chunk.length) {
    context.signal.throwIfAborted();
    const piece = chunk.subarray(0, Math.min(chunk.length, length - at));
    await unit.disk.read(piece, offset + at, context);
    if (!expected) continue;
    // One block of BYTCHK 3 stands for each block of the range; chunks are whole blocks.
    const from = expected.length < length ? expected : expected.subarray(at, at + piece.length);
    compareBytes(piece, from, from.length, at);
  }
}

/** VERIFY(10), (12), (16) (SBC-3 5.24): BYTCHK 0 reads, 1 compares all blocks, 3 one block with each. */
export function verify(unit: Unit, command: ScsiCommand, definition: CommandDefinition): Result {
  const { blockSize } = unit;
  const { cdb, context } = command;
  const blocks = definition.address!.blocks(cdb);
  const lba = startOf(unit, command, definition, blocks);
  const bytchk = (cdb[1] & flag.bytchk) >> 1;
  if (bytchk === 2) throw invalidFieldInCdb(1, 'BYTCHK 2 is reserved', 2);
  takeFlags(command, definition);
  context.fua = false;
  if (blocks === 0) return;
  const length = blocks * blockSize;
  const needed = bytchk === 0 ? 0 : bytchk === 1 ? length : blockSize;
  if (command.dataOut.byteLength < needed) throw shortDataOut(command.dataOut.byteLength, needed);
  const expected = bytchk === 0 ? undefined : takeDataOut(command, needed);
  return verifyRange(unit, context, lba * blockSize, length, expected);
}

/** SYNCHRONIZE CACHE(10), (16). The whole cache is flushed, and IMMED waits for it as well: both are allowed. */
export function synchronizeCache(unit: Unit, command: ScsiCommand, definition: CommandDefinition): Result {
  const { cdb, context } = command;
  // 0 blocks means to the end of the medium (SBC-3 5.21).
  checkRange(unit, definition.address!.lba(cdb), definition.address!.blocks(cdb));
  context.fua = context.dpo = false;
  return unit.disk.flush?.(context);
}
