import { readUint16, readUint32, readUint64 } from './big-endian.js';
import { checkRange } from './commands/block-io.js';
import { tokenLimits } from './copy-limits.js';
import type { ByteExtent } from './copy-token.js';
import { invalidFieldInParameterList } from './invalid-field.js';
import { additionalSense, senseKey, SenseError } from './sense.js';
import type { Unit } from './unit.js';

const DESCRIPTOR = 16;

/** The most bytes of block device range descriptors that are looked at: one more than may be there. */
export const RANGES_LIMIT = (tokenLimits.ranges + 1) * DESCRIPTOR;

function overlap(extents: readonly ByteExtent[]): boolean {
  const sorted = [...extents].sort((a, b) => a.offset - b.offset);
  return sorted.some(({ offset }, index) => {
    const before = sorted[index - 1];
    return index > 0 && before.offset + before.length > offset;
  });
}

/**
 * The block device range descriptors of a token command (SBC-3 5.7.3), as bytes of the unit. An incomplete last
 * one is ignored.
 * @param lengthAt where BLOCK DEVICE RANGE DESCRIPTOR LENGTH is; the descriptors follow it
 * @throws SenseError where they are none, too many, too long, not on the disk or overlap
 */
export function parseRanges(unit: Unit, list: Uint8Array, lengthAt: number): ByteExtent[] {
  const start = lengthAt + 2;
  const told = readUint16(list, lengthAt);
  if (told < DESCRIPTOR)
    throw invalidFieldInParameterList(lengthAt, 'a block device range descriptor is needed');
  const count = Math.floor(Math.min(told, list.length - start) / DESCRIPTOR);
  if (count > tokenLimits.ranges) {
    throw new SenseError(
      senseKey.illegalRequest,
      additionalSense.tooManySegmentDescriptors,
      `more than ${tokenLimits.ranges} block device range descriptors`,
      { field: { inCdb: false, byte: lengthAt } },
    );
  }
  const extents: ByteExtent[] = [];
  let total = 0;
  for (let index = 0; index < count; index++) {
    const at = start + index * DESCRIPTOR;
    const [lba, blocks] = [readUint64(list, at), readUint32(list, at + 8)];
    checkRange(unit, lba, blocks);
    total += blocks * unit.blockSize;
    if (total > tokenLimits.bytes) {
      throw invalidFieldInParameterList(at + 8, `more than ${tokenLimits.bytes} bytes`);
    }
    if (blocks > 0) extents.push({ offset: lba * unit.blockSize, length: blocks * unit.blockSize });
  }
  if (overlap(extents)) throw invalidFieldInParameterList(start, 'block device ranges overlap');
  return extents;
}
