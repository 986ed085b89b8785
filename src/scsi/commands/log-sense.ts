import { readUint16 } from '../big-endian.js';
import type { Result } from '../command-definition.js';
import type { ScsiCommand } from '../command.js';
import { fillDataIn } from '../data-transfer.js';
import { invalidFieldInCdb } from '../invalid-field.js';
import { ALL_SUBPAGES, encodeLogPage, logPage, logParameters, supportedLogPages } from '../log-pages.js';
import type { Unit } from '../unit.js';

/** PAGE CONTROL (SPC-4 table 377). Thresholds are not kept. */
const pageControl = { cumulative: 1, defaultCumulative: 3 } as const;

/** LOG SENSE (SPC-4 6.8). */
export function logSense(unit: Unit, command: ScsiCommand): Result {
  const { cdb } = command;
  if ((cdb[1] & 0x01) !== 0) throw invalidFieldInCdb(1, 'log parameters are not saved', 0);
  const control = cdb[2] >> 6;
  if (control !== pageControl.cumulative && control !== pageControl.defaultCumulative) {
    throw invalidFieldInCdb(2, 'log parameters have no thresholds', 7);
  }
  const code = cdb[2] & 0x3f;
  const subpage = cdb[3];
  const pointer = readUint16(cdb, 5);
  const allocationLength = readUint16(cdb, 7);
  if (code === logPage.supportedPages && (subpage === 0 || subpage === ALL_SUBPAGES)) {
    if (pointer !== 0) throw invalidFieldInCdb(5, 'a list of pages has no parameters');
    return fillDataIn(command, supportedLogPages(unit, subpage !== 0), allocationLength);
  }
  const parameters = subpage === 0 ? logParameters(unit, code) : undefined;
  if (!parameters) {
    const byte = subpage === 0 ? 2 : 3;
    throw invalidFieldInCdb(byte, `no log page ${code.toString(16)}h, ${subpage.toString(16)}h`);
  }
  const selected = parameters.filter((parameter) => parameter.code >= pointer);
  if (selected.length === 0) {
    throw invalidFieldInCdb(5, `no parameter from ${pointer.toString(16)}h in this page`);
  }
  const values =
    control === pageControl.cumulative
      ? selected
      : selected.map((parameter) => ({ ...parameter, value: new Uint8Array(parameter.value.length) }));
  return fillDataIn(command, encodeLogPage(code, values), allocationLength);
}
