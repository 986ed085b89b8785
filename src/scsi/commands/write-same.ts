import type { CommandDefinition, Result } from '../command-definition.js';
import type { ScsiCommand } from '../command.js';
import { takeExactDataOut } from '../data-transfer.js';
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
  flagByte,
  lengthByte,
  whenUnlocked,
  writesThrough,
} from './block-io.js';

/** The flags of WRITE SAME (SBC-3 5.43). NDOB is not in WRITE SAME(10). */
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

/** WRITE SAME(10), (16), (32) (SBC-3 5.43 to 5.45). */
export function writeSame(unit: Unit, command: ScsiCommand, definition: CommandDefinition): Result {
  const { cdb, context } = command;
  const { disk, blockSize, limits } = unit;
  checkNoProtection(cdb);
  const byte = flagByte(cdb);
  const unmap = (cdb[byte] & flag.unmap) !== 0;
  if ((cdb[byte] & flag.anchor) !== 0) throw invalidFieldInCdb(byte, 'anchored blocks are not supported', 4);
  if (unmap && !disk.unmap) throw invalidFieldInCdb(byte, 'the disk cannot unmap', 3);
  const noData = definition.opcode !== opcode.writeSame10 && (cdb[byte] & flag.ndob) !== 0;
  const lba = definition.address!.lba(cdb);
  checkRange(unit, lba, definition.address!.blocks(cdb));
  let blocks = definition.address!.blocks(cdb);
  if (blocks === 0) {
    // WSNZ of VPD page B0h: 0 blocks is more often a mistake than the rest of the medium.
    if (!limits.writeSameToEnd)
      throw invalidFieldInCdb(lengthByte(definition), 'a number of blocks is needed');
    blocks = unit.blocks - lba;
  }
  if (blocks > limits.maxWriteSameBlocks) {
    throw invalidFieldInCdb(
      lengthByte(definition),
      `${blocks} blocks are more than ${limits.maxWriteSameBlocks}`,
    );
  }
  checkWritable(unit);
  const block = noData ? new Uint8Array(blockSize) : takeExactDataOut(command, blockSize);
  context.fua = writesThrough(unit);
  context.dpo = false;
  if (blocks === 0) return;
  const [offset, length] = [lba * blockSize, blocks * blockSize];
  const zero = block.every((byte) => byte === 0) ? zeroing(disk, unmap) : undefined;
  if (!zero) return repeat(unit, command, block, offset, length);
  return whenUnlocked(unit, offset, length, () => afterZeroing(unit, zero(offset, length, command), context));
}
