import type { CommandDefinition, Result } from '../command-definition.js';
import type { ScsiCommand } from '../command.js';
import { deliveredLength, takeDataOut, takeExactDataOut } from '../data-transfer.js';
import type { CommandContext } from '../disk.js';
import { invalidFieldInCdb } from '../invalid-field.js';
import { additionalSense, senseKey, SenseError } from '../sense.js';
import type { Unit } from '../unit.js';
import {
  afterWrite,
  checkNoProtection,
  checkRange,
  checkWritable,
  startOf,
  takeFlags,
  writesThrough,
} from './block-io.js';
import { compareBytes } from './block-verify.js';

/*
 * Commands that no other write may come between, nor see half of.
 */

function miscompare(offset: number): SenseError {
  return new SenseError(
    senseKey.miscompare,
    additionalSense.miscompareDuringVerify,
    `byte ${offset} of the range differs`,
    { information: offset },
  );
}

async function compareThenWrite(
  unit: Unit,
  context: CommandContext,
  offset: number,
  expected: Uint8Array,
  data: Uint8Array,
): Promise<void> {
  const { disk } = unit;
  if (disk.compareAndWrite) {
    const different = await disk.compareAndWrite(expected, data, offset, context);
    if (different >= 0) throw miscompare(different);
  } else {
    const found = new Uint8Array(expected.length);
    await disk.read(found, offset, context);
    compareBytes(found, expected);
    context.signal.throwIfAborted();
    await disk.write!(data, offset, context);
  }
  await afterWrite(unit, undefined, context);
}

/** COMPARE AND WRITE (SBC-3 5.2): Data-Out is what the blocks must hold, then what they get. */
export function compareAndWrite(unit: Unit, command: ScsiCommand, definition: CommandDefinition): Result {
  const { blockSize, limits, locks } = unit;
  const { cdb, context } = command;
  const lba = definition.address!.lba(cdb);
  const blocks = definition.address!.blocks(cdb);
  checkNoProtection(cdb);
  if (blocks > limits.maxCompareAndWriteBlocks) {
    throw invalidFieldInCdb(13, `${blocks} blocks are more than ${limits.maxCompareAndWriteBlocks}`);
  }
  checkRange(unit, lba, blocks);
  checkWritable(unit);
  takeFlags(command, definition);
  if (writesThrough(unit)) context.fua = true;
  if (blocks === 0) {
    // 256 blocks do not fit into the field: nothing must not be taken for them.
    if (command.dataOut.byteLength > 0) throw invalidFieldInCdb(13, 'there is data for no blocks');
    return;
  }
  const [offset, length] = [lba * blockSize, blocks * blockSize];
  const data = takeExactDataOut(command, 2 * length);
  return locks.run(offset, offset + length, true, () =>
    compareThenWrite(unit, context, offset, data.subarray(0, length), data.subarray(length)),
  );
}

/** ORWRITE(16) (SBC-3 5.4): the blocks become what they held, OR Data-Out. */
export function orWrite(unit: Unit, command: ScsiCommand, definition: CommandDefinition): Result {
  const { disk, blockSize, locks } = unit;
  const { cdb, context } = command;
  const blocks = definition.address!.blocks(cdb);
  const lba = startOf(unit, command, definition, blocks);
  checkWritable(unit);
  takeFlags(command, definition);
  if (writesThrough(unit)) context.fua = true;
  const needed = blocks * blockSize;
  const length = deliveredLength(command, needed, blockSize);
  if (length === 0) return;
  const offset = lba * blockSize;
  const mask = takeDataOut(command, length);
  command.transferLength = needed;
  return locks.run(offset, offset + length, true, async () => {
    const data = new Uint8Array(length);
    await disk.read(data, offset, context);
    for (let at = 0; at < length; at++) data[at] |= mask[at];
    context.signal.throwIfAborted();
    await disk.write!(data, offset, context);
    await afterWrite(unit, undefined, context);
  });
}

/** Blocks that one WRITE ATOMIC may have; 0 where the disk does not promise any. */
export function maxAtomicBlocks({ disk, blockSize, limits }: Unit): number {
  return Math.min(0xffff, limits.maxTransferBlocks, Math.floor((disk.atomicWriteSize ?? 0) / blockSize));
}

/** WRITE ATOMIC(16) (SBC-4 5.46): one call of the disk's `write`, which promises to do it wholly or not at all. */
export function writeAtomic(unit: Unit, command: ScsiCommand, definition: CommandDefinition): Result {
  const { disk, blockSize, locks } = unit;
  const { cdb, context } = command;
  const lba = definition.address!.lba(cdb);
  const blocks = definition.address!.blocks(cdb);
  checkNoProtection(cdb);
  if (cdb[10] !== 0 || cdb[11] !== 0) throw invalidFieldInCdb(10, 'atomic boundaries are not supported');
  checkRange(unit, lba, blocks);
  const most = maxAtomicBlocks(unit);
  if (blocks > most) throw invalidFieldInCdb(12, `${blocks} blocks are more than ${most}`);
  checkWritable(unit);
  takeFlags(command, definition);
  if (writesThrough(unit)) context.fua = true;
  if (blocks === 0) return;
  const [offset, length] = [lba * blockSize, blocks * blockSize];
  const data = takeDataOut(command, length);
  return locks.run(offset, offset + length, true, async () => {
    await disk.write!(data, offset, context);
    await afterWrite(unit, undefined, context);
  });
}
