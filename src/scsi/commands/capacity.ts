import { readUint32, readUint64, writeUint32, writeUint64 } from '../big-endian.js';
import type { Result } from '../command-definition.js';
import type { ScsiCommand } from '../command.js';
import { fillDataIn } from '../data-transfer.js';
import { invalidFieldInCdb } from '../invalid-field.js';
import { physicalBlockExponent, type Unit } from '../unit.js';

/** READ CAPACITY(10) (SBC-3 5.15). */
export function readCapacity10(unit: Unit, command: ScsiCommand): Result {
  const { cdb } = command;
  // PMI is obsolete; without it the address means nothing.
  if ((cdb[8] & 0x01) === 0 && readUint32(cdb, 2) !== 0) {
    throw invalidFieldInCdb(2, 'a logical block address needs PMI');
  }
  const data = new Uint8Array(8);
  // A last block past 32 bits sends the initiator to READ CAPACITY(16).
  writeUint32(data, 0, Math.min(unit.blocks - 1, 0xffff_ffff));
  writeUint32(data, 4, unit.blockSize);
  return fillDataIn(command, data, data.length);
}

/** READ CAPACITY(16) (SBC-3 5.16). */
export function readCapacity16(unit: Unit, command: ScsiCommand): Result {
  const { cdb } = command;
  const { disk, blockSize } = unit;
  if ((cdb[14] & 0x01) === 0 && readUint64(cdb, 2) !== 0) {
    throw invalidFieldInCdb(2, 'a logical block address needs PMI');
  }
  const data = new Uint8Array(32);
  writeUint64(data, 0, unit.blocks - 1);
  writeUint32(data, 8, blockSize);
  data[13] = physicalBlockExponent(disk, blockSize);
  if (disk.unmap) data[14] = 0x80 | (disk.unmapReadsZeroes === false ? 0 : 0x40);
  return fillDataIn(command, data, readUint32(cdb, 10));
}
