import { readUint16 } from '../big-endian.js';
import type { CommandDefinition, Result } from '../command-definition.js';
import type { Nexus, ScsiCommand } from '../command.js';
import { takeDataOut } from '../data-transfer.js';
import { invalidFieldInCdb, invalidFieldInParameterList } from '../invalid-field.js';
import { resetLogPages } from '../log-pages.js';
import { additionalSense } from '../sense.js';
import type { Unit } from '../unit.js';

/** PAGE CONTROL: set the cumulative values to their defaults, where there is no parameter list. */
const DEFAULT_CUMULATIVE = 3;

/**
 * LOG SELECT (SPC-4 6.7): sets counters to zero, by PCR or by asking for the default values. No parameter can be
 * set to another value.
 */
export function logSelect(
  unit: Unit,
  command: ScsiCommand,
  _definition: CommandDefinition,
  nexus: Nexus,
): Result {
  const { cdb } = command;
  if ((cdb[1] & 0x01) !== 0) throw invalidFieldInCdb(1, 'log parameters are not saved', 0);
  const parameterCodeReset = (cdb[1] & 0x02) !== 0;
  const code = cdb[2] & 0x3f;
  const subpage = cdb[3];
  const length = readUint16(cdb, 7);
  if (parameterCodeReset && length > 0) throw invalidFieldInCdb(1, 'PCR with a parameter list', 1);
  if (length > 0) {
    takeDataOut(command, length);
    throw invalidFieldInParameterList(0, 'log parameters cannot be set');
  }
  if (subpage !== 0) throw invalidFieldInCdb(3, `no log subpage ${subpage.toString(16)}h`);
  if (!parameterCodeReset && cdb[2] >> 6 !== DEFAULT_CUMULATIVE) return;
  if (!resetLogPages(unit, code)) throw invalidFieldInCdb(2, `no log page ${code.toString(16)}h`);
  unit.attentions.establish(additionalSense.logParametersChanged, nexus);
}
