import { readUint16, readUint24, readUint32, readUint64 } from '../big-endian.js';
import type { CommandDefinition, Result } from '../command-definition.js';
import type { Nexus, ScsiCommand } from '../command.js';
import { takeDataOut } from '../data-transfer.js';
import {
  invalidFieldInCdb,
  invalidFieldInParameterList,
  parameterListLengthError,
} from '../invalid-field.js';
import type { ModePage } from '../mode-pages.js';
import { opcode } from '../opcode.js';
import { additionalSense } from '../sense.js';
import type { Unit } from '../unit.js';

/** Check the mode parameter header and the block descriptor. @returns where the pages begin */
function checkHeader(unit: Unit, list: Uint8Array, six: boolean): number {
  const headerLength = six ? 4 : 8;
  if (list.length < headerLength) throw parameterListLengthError('the list ends in its header');
  const mediumType = six ? 1 : 2;
  if (list[mediumType] !== 0) throw invalidFieldInParameterList(mediumType, 'the medium type is 0');
  const long = !six && (list[4] & 0x01) !== 0;
  const descriptorAt = six ? 3 : 6;
  const descriptorLength = six ? list[3] : readUint16(list, 6);
  if (descriptorLength === 0) return headerLength;
  if (descriptorLength !== (long ? 16 : 8)) {
    throw invalidFieldInParameterList(descriptorAt, `no block descriptor has ${descriptorLength} bytes`);
  }
  if (list.length < headerLength + descriptorLength) {
    throw parameterListLengthError('the list ends in its block descriptor');
  }
  const blocks = long ? readUint64(list, headerLength) : readUint32(list, headerLength);
  const blockSize = long ? readUint32(list, headerLength + 12) : readUint24(list, headerLength + 5);
  // 0 and all ones leave the capacity as it is (SBC-3 6.5.2.2).
  if (blocks !== 0 && blocks !== unit.blocks && blocks < 0xffff_ffff) {
    throw invalidFieldInParameterList(headerLength, 'the capacity cannot be changed by MODE SELECT');
  }
  if (blockSize !== unit.blockSize) {
    throw invalidFieldInParameterList(
      headerLength + (long ? 12 : 5),
      `the block length is ${unit.blockSize}`,
    );
  }
  return headerLength + descriptorLength;
}

/** One page of the list, checked against what may change. */
function checkPage(unit: Unit, list: Uint8Array, at: number): { page: ModePage; values: Uint8Array } {
  const isSubpage = (list[at] & 0x40) !== 0;
  const headerLength = isSubpage ? 4 : 2;
  if (list.length < at + headerLength)
    throw parameterListLengthError('the list ends in the header of a page');
  const code = list[at] & 0x3f;
  const subpage = isSubpage ? list[at + 1] : 0;
  const name = code.toString(16) + (isSubpage ? `/${subpage.toString(16)}` : '');
  // Subpage 0 in the format of subpages is no page (SPC-4 7.5.7).
  const page = isSubpage && subpage === 0 ? undefined : unit.modes.find(code, subpage);
  if (!page) throw invalidFieldInParameterList(at, `no mode page ${name}`);
  const length = isSubpage ? readUint16(list, at + 2) : list[at + 1];
  if (length !== page.current.length - headerLength) {
    const byte = at + (isSubpage ? 2 : 1);
    throw invalidFieldInParameterList(byte, `page ${name} has ${page.current.length - headerLength} bytes`);
  }
  const values = list.slice(at, at + page.current.length);
  if (values.length < page.current.length) throw parameterListLengthError(`the list ends in page ${name}`);
  for (let byte = headerLength; byte < values.length; byte++) {
    if (((values[byte] ^ page.current[byte]) & ~page.changeable[byte]) !== 0) {
      throw invalidFieldInParameterList(at + byte, `byte ${byte} of page ${name} cannot be changed`);
    }
  }
  const invalid = page.invalidByte?.(values);
  if (invalid !== undefined) {
    throw invalidFieldInParameterList(at + invalid, `byte ${invalid} of page ${name} has a reserved value`);
  }
  return { page, values };
}

/** MODE SELECT(6), (10) (SPC-4 6.9, 6.10). All pages are checked before one is changed. */
export function modeSelect(
  unit: Unit,
  command: ScsiCommand,
  definition: CommandDefinition,
  nexus: Nexus,
): Result {
  const { cdb } = command;
  const six = definition.opcode === opcode.modeSelect6;
  if ((cdb[1] & 0x10) === 0) throw invalidFieldInCdb(1, 'PF must be 1: pages are in the standard format', 4);
  const save = (cdb[1] & 0x01) !== 0;
  if (save && !unit.modes.savable) throw invalidFieldInCdb(1, 'mode parameters are not saved', 0);
  const length = six ? cdb[4] : readUint16(cdb, 7);
  if (length === 0) return;
  const list = takeDataOut(command, length);
  const changes: ReturnType<typeof checkPage>[] = [];
  for (let at = checkHeader(unit, list, six); at < list.length; at += changes.at(-1)!.values.length) {
    changes.push(checkPage(unit, list, at));
  }
  let changed = false;
  for (const { page, values } of changes) {
    for (let byte = page.headerLength; byte < values.length; byte++) {
      changed ||= page.current[byte] !== values[byte];
      page.current[byte] = values[byte];
    }
  }
  unit.modes.generation++;
  if (changed) unit.attentions.establish(additionalSense.modeParametersChanged, nexus);
  return save ? unit.modes.save() : undefined;
}
