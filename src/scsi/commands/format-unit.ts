import { readUint16, readUint32 } from '../big-endian.js';
import type { CommandDefinition, Result } from '../command-definition.js';
import type { Nexus, ScsiCommand } from '../command.js';
import { takeDataOut } from '../data-transfer.js';
import { invalidFieldInCdb, invalidFieldInParameterList } from '../invalid-field.js';
import { onWholeMedium, zeroMedium } from '../whole-medium.js';
import type { Unit } from '../unit.js';
import { checkWritable } from './block-io.js';
import { answerOf } from './background-answer.js';

/** Byte 1 of the CDB (SBC-3 table 32). */
const flag = {
  protection: 0xc0,
  longList: 0x20,
  formatData: 0x10,
  completeList: 0x08,
  listFormat: 0x07,
} as const;

/** Byte 1 of the parameter list header (SBC-3 table 36). */
const option = {
  valid: 0x80,
  primary: 0x40,
  certification: 0x20,
  stop: 0x10,
  pattern: 0x08,
  immediate: 0x02,
} as const;

/** @returns whether IMMED is set */
function checkParameterList(command: ScsiCommand, long: boolean): boolean {
  const list = takeDataOut(command, long ? 8 : 4);
  if ((list[0] & 0x07) !== 0) {
    throw invalidFieldInParameterList(0, 'protection information is not supported', 2);
  }
  const options = list[1];
  const details = option.primary | option.certification | option.stop | option.pattern;
  if ((options & option.valid) === 0 && (options & details) !== 0) {
    throw invalidFieldInParameterList(1, 'the format options are set, but FOV is not', 7);
  }
  if ((options & option.pattern) !== 0) {
    throw invalidFieldInParameterList(1, 'initialization patterns are not supported', 3);
  }
  if (long && list[3] !== 0) throw invalidFieldInParameterList(3, 'protection intervals are not supported');
  const defects = long ? readUint32(list, 4) : readUint16(list, 2);
  if (defects !== 0) throw invalidFieldInParameterList(long ? 4 : 2, 'defect lists are not supported');
  return (options & option.immediate) !== 0;
}

/** FORMAT UNIT (SBC-3 5.3): the medium becomes zeroes. Nothing is defective, so DPRY, DCRT and STPF mean nothing. */
export function formatUnit(
  unit: Unit,
  command: ScsiCommand,
  _definition: CommandDefinition,
  _nexus: Nexus,
): Result {
  const { cdb } = command;
  if ((cdb[1] & flag.protection) !== 0) {
    throw invalidFieldInCdb(1, 'protection information is not supported', 7);
  }
  const withList = (cdb[1] & flag.formatData) !== 0;
  if (!withList && (cdb[1] & (flag.longList | flag.completeList | flag.listFormat)) !== 0) {
    throw invalidFieldInCdb(1, 'a parameter list is described, but FMTDATA is not set', 4);
  }
  checkWritable(unit);
  const immediate = withList && checkParameterList(command, (cdb[1] & flag.longList) !== 0);
  const formatted = unit.background.start('format', (task) =>
    onWholeMedium(unit, task, () => zeroMedium(unit, task)),
  );
  return immediate ? undefined : answerOf(formatted, command, unit);
}
