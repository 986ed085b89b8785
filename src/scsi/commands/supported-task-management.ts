import { readUint32 } from '../big-endian.js';
import type { Result } from '../command-definition.js';
import type { ScsiCommand } from '../command.js';
import { fillDataIn } from '../data-transfer.js';
import { invalidFieldInCdb } from '../invalid-field.js';
import type { Unit } from '../unit.js';

/** ATS, ATSS, CTSS, LURS, TRS: ABORT TASK (SET), CLEAR TASK SET, LOGICAL UNIT RESET and the reset of a target. */
const SUPPORTED = 0x80 | 0x40 | 0x10 | 0x08 | 0x02;

/** REPORT SUPPORTED TASK MANAGEMENT FUNCTIONS (SPC-4 6.36). */
export function reportSupportedTaskManagementFunctions(_unit: Unit, command: ScsiCommand): Result {
  const { cdb } = command;
  const extended = (cdb[2] & 0x80) !== 0;
  const allocationLength = readUint32(cdb, 6);
  if (allocationLength < 4) throw invalidFieldInCdb(6, 'the allocation length must be 4 or more');
  // REPD: the same with a length and with timeouts, none of which is told.
  const data = new Uint8Array(extended ? 16 : 4);
  data[0] = SUPPORTED;
  if (extended) data[3] = data.length - 4;
  return fillDataIn(command, data, allocationLength);
}
