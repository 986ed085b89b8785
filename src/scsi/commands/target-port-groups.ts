import { readUint16, readUint32, writeUint16, writeUint32 } from '../big-endian.js';
import type { CommandDefinition, Result } from '../command-definition.js';
import type { Nexus, ScsiCommand } from '../command.js';
import { fillDataIn, takeDataOut } from '../data-transfer.js';
import {
  invalidFieldInCdb,
  invalidFieldInParameterList,
  parameterListLengthError,
} from '../invalid-field.js';
import { accessState, type AccessState, type TargetPortGroup } from '../target-port-groups.js';
import type { Unit } from '../unit.js';

/** PARAMETER DATA FORMAT (SPC-4 table 304). */
const format = { lengthOnly: 0, extendedHeader: 1 } as const;

/** T_SUP, U_SUP, S_SUP, AN_SUP, AO_SUP. */
const SUPPORTED_STATES = 0x80 | 0x08 | 0x04 | 0x02 | 0x01;

/** What SET TARGET PORT GROUPS may ask for (SPC-4 table 326). */
const settable: Readonly<Record<number, AccessState>> = {
  [accessState.activeOptimized]: 'activeOptimized',
  [accessState.activeNonOptimized]: 'activeNonOptimized',
  [accessState.standby]: 'standby',
  [accessState.unavailable]: 'unavailable',
};

function encodeGroup({ id, ports, state, preferred, status }: TargetPortGroup): number[] {
  const data = new Uint8Array(8 + 4 * ports.length);
  data[0] = (preferred ? 0x80 : 0) | accessState[state];
  data[1] = SUPPORTED_STATES;
  writeUint16(data, 2, id);
  data[5] = status;
  data[7] = ports.length;
  ports.forEach(({ relativeId }, index) => writeUint16(data, 8 + 4 * index + 2, relativeId));
  return [...data];
}

/** REPORT TARGET PORT GROUPS (SPC-4 6.37). */
export function reportTargetPortGroups({ portGroups }: Unit, command: ScsiCommand): Result {
  const { cdb } = command;
  const dataFormat = cdb[1] >> 5;
  if (dataFormat > format.extendedHeader) throw invalidFieldInCdb(1, 'this format is reserved', 7);
  const groups = portGroups!.groups.flatMap(encodeGroup);
  // IMPLICIT TRANSITION TIME 0: it is not told.
  const header = new Uint8Array(dataFormat === format.extendedHeader ? 8 : 4);
  writeUint32(header, 0, header.length - 4 + groups.length);
  if (dataFormat === format.extendedHeader) header[4] = format.extendedHeader << 4;
  return fillDataIn(command, Uint8Array.of(...header, ...groups), readUint32(cdb, 6));
}

/** SET TARGET PORT GROUPS (SPC-4 6.45). All descriptors are checked before one state is changed. */
export function setTargetPortGroups(
  unit: Unit,
  command: ScsiCommand,
  _definition: CommandDefinition,
  nexus: Nexus,
): Result {
  const length = readUint32(command.cdb, 6);
  if (length === 0) return;
  const groups = unit.portGroups!;
  // No list is longer than one descriptor for each group that could be: 16 bits of them.
  if (length < 4 || length % 4 !== 0 || length > 4 + 4 * 0xffff) {
    throw parameterListLengthError('the list is 4 bytes and 4 for each group');
  }
  const list = takeDataOut(command, length);
  const states = new Map<number, AccessState>();
  for (let at = 4; at < list.length; at += 4) {
    const state = settable[list[at] & 0x0f];
    const id = readUint16(list, at + 2);
    if (state === undefined) throw invalidFieldInParameterList(at, 'this access state cannot be set', 3);
    if (!groups.get(id)) throw invalidFieldInParameterList(at + 2, `there is no target port group ${id}`);
    states.set(id, state);
  }
  groups.set(states, nexus);
}
