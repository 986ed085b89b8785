// HOT PATH: READ and WRITE.
import type { CommandDefinition, Result } from '../command-definition.js';
import type { ScsiCommand } from '../command.js';
import { deliveredLength, isPromise, readInto, writeFrom } from '../data-transfer.js';
import type { CommandContext, Disk, Done } from '../disk.js';
import { invalidFieldInCdb } from '../invalid-field.js';
import { opcode } from '../opcode.js';
import { additionalSense, senseKey, SenseError } from '../sense.js';
import { hasWriteCache, isReadOnly, type Unit } from '../unit.js';

/** The flags of READ, WRITE and VERIFY of 10 bytes and more. */
const flag = { dpo: 0x10, fua: 0x08, protect: 0xe0 } as const;

/** Where they are: byte 1, or byte 10 of a variable length CDB. */
export function flagByte(cdb: Uint8Array): number {
  return cdb[0] === opcode.variableLength ? 10 : 1;
}

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
  const byte = flagByte(cdb);
  if ((cdb[byte] & flag.protect) === 0) return;
  throw invalidFieldInCdb(byte, 'the disk has no protection information', 7);
}

/** First byte of the number of blocks: 1 byte in CDBs of 6, 2 in those of 10, 4 in longer ones. */
export function lengthByte({ usage: { length } }: CommandDefinition): number {
  if (length === 6) return 4;
  if (length === 10) return 7;
  return length === 32 ? 28 : length - 6;
}

function checkTransferLength(unit: Unit, blocks: number, definition: CommandDefinition): void {
  if (blocks <= unit.limits.maxTransferBlocks) return;
  throw invalidFieldInCdb(
    lengthByte(definition),
    `${blocks} blocks are more than a command may transfer (${unit.limits.maxTransferBlocks})`,
  );
}

/** Set `fua` and `dpo` of the context from a CDB; READ(6) and WRITE(6) have neither. */
export function takeFlags(command: ScsiCommand, definition: CommandDefinition): void {
  const { cdb, context } = command;
  const flags = definition.usage.length === 6 ? 0 : cdb[flagByte(cdb)];
  context.fua = (flags & flag.fua) !== 0;
  context.dpo = (flags & flag.dpo) !== 0;
}

/** The range of a READ, WRITE or VERIFY, checked. @returns its first block */
export function startOf(
  unit: Unit,
  command: ScsiCommand,
  definition: CommandDefinition,
  blocks: number,
): number {
  const { cdb } = command;
  const lba = definition.address!.lba(cdb);
  if (definition.usage.length !== 6) checkNoProtection(cdb);
  checkTransferLength(unit, blocks, definition);
  checkRange(unit, lba, blocks);
  return lba;
}

/** READ(6), (10), (12), (16), (32). */
export function read(unit: Unit, command: ScsiCommand, definition: CommandDefinition): Result {
  const { disk, blockSize } = unit;
  const { context, dataIn } = command;
  const blocks = definition.address!.blocks(command.cdb);
  const lba = startOf(unit, command, definition, blocks);
  takeFlags(command, definition);
  command.transferLength = blocks * blockSize;
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
  if (!unit.locks.free) return unit.locks.run(offset, offset + length, false, job);
  const done = job();
  if (isPromise(done)) return unit.locks.share(offset, offset + length, done);
}

function store(unit: Unit, { dataOut, context }: ScsiCommand, offset: number, length: number): Done {
  const done = writeFrom(dataOut, unit.disk, offset, length, unit.blockSize, context);
  return afterWrite(unit, done, context);
}

/** Apart from write(), which would allocate what the closure shares with it at every call. */
function storeUnlocked(unit: Unit, command: ScsiCommand, offset: number, length: number): Done {
  return whenUnlocked(unit, offset, length, () => store(unit, command, offset, length));
}

/** WRITE(6), (10), (12), (16), (32). */
export function write(unit: Unit, command: ScsiCommand, definition: CommandDefinition): Result {
  const { context } = command;
  const blocks = definition.address!.blocks(command.cdb);
  const lba = startOf(unit, command, definition, blocks);
  checkWritable(unit);
  takeFlags(command, definition);
  if (writesThrough(unit)) context.fua = true;
  if (blocks === 0) return;
  const offset = lba * unit.blockSize;
  const length = deliveredLength(command, blocks * unit.blockSize, unit.blockSize);
  if (length === 0) return;
  if (!unit.locks.free) return storeUnlocked(unit, command, offset, length);
  // As whenUnlocked, without a closure for each write.
  const done = store(unit, command, offset, length);
  if (isPromise(done)) return unit.locks.share(offset, offset + length, done);
}
