import { readUint16, readUint32, readUint64 } from '../big-endian.js';
import type { Result } from '../command-definition.js';
import type { ScsiCommand } from '../command.js';
import { takeDataOut } from '../data-transfer.js';
import {
  invalidFieldInCdb,
  invalidFieldInParameterList,
  parameterListLengthError,
} from '../invalid-field.js';
import type { Unit } from '../unit.js';
import { afterZeroing, checkRange, checkWritable, whenUnlocked, writesThrough } from './block-io.js';

const HEADER = 8;
const DESCRIPTOR = 16;

interface Range {
  readonly lba: number;
  readonly blocks: number;
}

/** The block descriptors of an UNMAP parameter list (SBC-3 5.28.2), checked as a whole before any takes effect. */
function parseRanges(unit: Unit, list: Uint8Array): Range[] {
  if (list.length < HEADER) throw parameterListLengthError(`${list.length} bytes are less than the header`);
  const length = readUint16(list, 2);
  if (HEADER + length > list.length) {
    throw parameterListLengthError(
      `the list says ${length} bytes of descriptors, ${list.length - HEADER} came`,
    );
  }
  const { maxUnmapDescriptors, maxUnmapBlocks } = unit.limits;
  // A rest shorter than a descriptor is ignored, as the standard asks.
  const count = Math.floor(length / DESCRIPTOR);
  if (count > maxUnmapDescriptors) {
    throw invalidFieldInParameterList(2, `${count} descriptors are more than ${maxUnmapDescriptors}`);
  }
  const ranges: Range[] = [];
  let total = 0;
  for (let index = 0; index < count; index++) {
    const at = HEADER + index * DESCRIPTOR;
    const range = { lba: readUint64(list, at), blocks: readUint32(list, at + 8) };
    checkRange(unit, range.lba, range.blocks);
    total += range.blocks;
    ranges.push(range);
  }
  if (total > maxUnmapBlocks) {
    throw invalidFieldInParameterList(HEADER, `${total} blocks are more than ${maxUnmapBlocks}`);
  }
  return ranges;
}

/** UNMAP (SBC-3 5.28). */
export function unmap(unit: Unit, command: ScsiCommand): Result {
  const { cdb, context } = command;
  const { disk, blockSize } = unit;
  if ((cdb[1] & 0x01) !== 0) throw invalidFieldInCdb(1, 'anchored blocks are not supported', 0);
  checkWritable(unit);
  const length = readUint16(cdb, 7);
  if (length === 0) return;
  const ranges = parseRanges(unit, takeDataOut(command, length));
  context.fua = writesThrough(unit);
  context.dpo = false;
  return (async () => {
    for (const { lba, blocks } of ranges) {
      if (blocks === 0) continue;
      const [offset, bytes] = [lba * blockSize, blocks * blockSize];
      await whenUnlocked(unit, offset, bytes, () => disk.unmap!(offset, bytes, context));
    }
    await afterZeroing(unit, undefined, context);
  })();
}
