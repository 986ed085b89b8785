import { readUint16, readUint32 } from '../big-endian.js';
import type { CommandDefinition, Result } from '../command-definition.js';
import type { ScsiCommand } from '../command.js';
import { fillDataIn } from '../data-transfer.js';
import { opcode } from '../opcode.js';
import { additionalSense, senseKey, SenseError } from '../sense.js';
import type { Unit } from '../unit.js';

/** DEFECT LIST FORMAT (SBC-3 table 39): addresses of 4 and of 8 bytes. */
const format = { shortBlock: 0, longBlock: 3 } as const;

/**
 * READ DEFECT DATA(10), (12) (SBC-3 5.17): both lists are empty, as what replaces bad blocks, if anything, is
 * below us.
 */
export function readDefectData(_unit: Unit, command: ScsiCommand, definition: CommandDefinition): Result {
  const { cdb } = command;
  const long = definition.opcode === opcode.readDefectData12;
  const request = cdb[long ? 1 : 2] & 0x1f;
  const listFormat = request & 0x07;
  if (listFormat !== format.shortBlock && listFormat !== format.longBlock) {
    const message = `defect lists in format ${listFormat} are not kept`;
    throw new SenseError(senseKey.recoveredError, additionalSense.defectListNotFound, message);
  }
  // The lists asked for are valid: they have nothing in them.
  const data = new Uint8Array(long ? 8 : 4);
  data[1] = request;
  return fillDataIn(command, data, long ? readUint32(cdb, 6) : readUint16(cdb, 7));
}
