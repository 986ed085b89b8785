import type { CommandDefinition, Result } from '../command-definition.js';
import type { ScsiCommand } from '../command.js';
import { takeDataOut } from '../data-transfer.js';
import type { Disk, Done } from '../disk.js';
import { invalidFieldInCdb } from '../invalid-field.js';
import { opcode } from '../opcode.js';
import type { Unit } from '../unit.js';
import {
  afterWrite,
  afterZeroing,
  checkNoProtection,
  checkRange,
  checkWritable,
  whenUnlocked,
  writesThrough,
} from './block-io.js';

/** Byte 1 of WRITE SAME (SBC-3 5.43). NDOB is in WRITE SAME(16) only. */
const flag = { anchor: 0x10, unmap: 0x08, ndob: 0x01 } as const;

/** Bytes written at a time where the disk cannot write zeroes by itself. */
const CHUNK = 256 * 1024;

/** How the disk makes a range zero without being sent the zeroes, if it can. */
function zeroing(
  disk: Disk,
  unmap: boolean,
): ((offset: number, length: number, command: ScsiCommand) => Done) | undefined {
  if (unmap && disk.unmap && disk.unmapReadsZeroes !== false) {
    return (offset, length, { context }) => disk.unmap!(offset, length, context);
  }
  if (!disk.writeZeroes) return undefined;
  return (offset, length, { context }) => disk.writeZeroes!(offset, length, unmap, context);
}

/** Write one block over and over, under an exclusive lock: no other write ends up in between. */
function repeat(
  unit: Unit,
  command: ScsiCommand,
  block: Uint8Array,
  offset: number,
  length: number,
): Promise<void> {
  const { context } = command;
  const chunk = new Uint8Array(Math.min(length, Math.max(CHUNK, block.length)));
  for (let at = 0; at < chunk.length; at += block.length) chunk.set(block, at);
  return unit.locks.run(offset, offset + length, true, async () => {
    for (let at = 0; at < length; at += chunk.length) {
      context.signal.throwIfAborted();
      await unit.disk.write!(chunk.subarray(0, Math.min(chunk.length, length - at)), offset + at, context);
    }
    await afterWrite(unit, undefined, context);
  });
}

/** WRITE SAME(10), (16) (SBC-3 5.43, 5.44). */
export function writeSame(unit: Unit, command: ScsiCommand, definition: CommandDefinition): Result {
  const { cdb, context } = command;
  const { disk, blockSize, limits } = unit;
  checkNoProtection(cdb);
  const unmap = (cdb[1] & flag.unmap) !== 0;
  if ((cdb[1] & flag.anchor) !== 0) throw invalidFieldInCdb(1, 'anchored blocks are not supported', 4);
  if (unmap && !disk.unmap) throw invalidFieldInCdb(1, 'the disk cannot unmap', 3);
  const noData = definition.opcode === opcode.writeSame16 && (cdb[1] & flag.ndob) !== 0;
  const lba = definition.address!.lba(cdb);
  const blocks = definition.address!.blocks(cdb);
  // WSNZ of VPD page B0h: 0 does not mean "to the end" here.
  const lengthByte = definition.usage.length === 10 ? 7 : 10;
  if (blocks === 0) throw invalidFieldInCdb(lengthByte, 'a number of blocks is needed');
  checkRange(unit, lba, blocks);
  if (blocks > limits.maxWriteSameBlocks) {
    throw invalidFieldInCdb(lengthByte, `${blocks} blocks are more than ${limits.maxWriteSameBlocks}`);
  }
  checkWritable(unit);
  const block = noData ? new Uint8Array(blockSize) : takeDataOut(command, blockSize);
  context.fua = writesThrough(unit);
  context.dpo = false;
  const [offset, length] = [lba * blockSize, blocks * blockSize];
  const zero = block.every((byte) => byte === 0) ? zeroing(disk, unmap) : undefined;
  if (!zero) return repeat(unit, command, block, offset, length);
  return whenUnlocked(unit, offset, length, () => afterZeroing(unit, zero(offset, length, command), context));
}
