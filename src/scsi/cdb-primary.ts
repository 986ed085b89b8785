import { writeUint16, writeUint32 } from './big-endian.js';
import { opcode, serviceAction } from './opcode.js';
import { accessState, type AccessState } from './target-port-groups.js';

/*
 * Commands about the unit itself, as an initiator makes them.
 */

/** `page` is a page code; PC and the others are as SPC-4 has them. */
export interface PageRequest {
  readonly page: number;
  readonly subpage?: number;
  /** PAGE CONTROL. Default: current values of mode pages, cumulative values of log pages. */
  readonly control?: number;
  readonly allocationLength?: number;
}

export interface ModeSenseRequest extends PageRequest {
  /** DBD: without a block descriptor. */
  readonly noBlockDescriptor?: boolean;
}

export function modeSense6(request: ModeSenseRequest): Uint8Array {
  const { page, subpage = 0, control = 0, allocationLength = 255, noBlockDescriptor = false } = request;
  const flags = noBlockDescriptor ? 0x08 : 0;
  return Uint8Array.of(opcode.modeSense6, flags, (control << 6) | page, subpage, allocationLength, 0);
}

/** @param longBlockDescriptor LLBAA: a block descriptor of 16 bytes is welcome */
export function modeSense10(request: ModeSenseRequest, longBlockDescriptor = false): Uint8Array {
  const { page, subpage = 0, control = 0, allocationLength = 4096, noBlockDescriptor = false } = request;
  const cdb = new Uint8Array(10);
  cdb[0] = opcode.modeSense10;
  cdb[1] = (noBlockDescriptor ? 0x08 : 0) | (longBlockDescriptor ? 0x10 : 0);
  cdb[2] = (control << 6) | page;
  cdb[3] = subpage;
  writeUint16(cdb, 7, allocationLength);
  return cdb;
}

/** @param parameterListLength bytes of Data-Out @param save SP: keep the values over a reset */
export const modeSelect6 = (parameterListLength: number, save = false): Uint8Array =>
  Uint8Array.of(opcode.modeSelect6, save ? 0x11 : 0x10, 0, 0, parameterListLength, 0);

/** @param parameterListLength bytes of Data-Out @param save SP: keep the values over a reset */
export function modeSelect10(parameterListLength: number, save = false): Uint8Array {
  const cdb = new Uint8Array(10);
  cdb[0] = opcode.modeSelect10;
  cdb[1] = save ? 0x11 : 0x10;
  writeUint16(cdb, 7, parameterListLength);
  return cdb;
}

/** @param parameterPointer the first parameter of interest */
export function logSense(request: PageRequest, parameterPointer = 0): Uint8Array {
  const { page, subpage = 0, control = 1, allocationLength = 4096 } = request;
  const cdb = new Uint8Array(10);
  cdb[0] = opcode.logSense;
  cdb[2] = (control << 6) | page;
  cdb[3] = subpage;
  writeUint16(cdb, 5, parameterPointer);
  writeUint16(cdb, 7, allocationLength);
  return cdb;
}

/** LOG SELECT with PCR: set the counters of a page, or with page 0 of all, to zero. */
export const resetLog = (page = 0): Uint8Array =>
  Uint8Array.of(opcode.logSelect, 0x02, 0x40 | page, 0, 0, 0, 0, 0, 0, 0);

/** @param descriptorFormat DESC */
export const requestSense = (allocationLength = 252, descriptorFormat = false): Uint8Array =>
  Uint8Array.of(opcode.requestSense, descriptorFormat ? 0x01 : 0, 0, 0, allocationLength, 0);

export interface StartStopFlags {
  readonly start?: boolean;
  /** LOEJ: load with `start`, else eject. */
  readonly loadEject?: boolean;
  readonly noFlush?: boolean;
  readonly immediate?: boolean;
  /** POWER CONDITION: 1 active, 2 idle, 3 standby. */
  readonly powerCondition?: number;
}

export function startStopUnit(flags: StartStopFlags): Uint8Array {
  const { start = false, loadEject = false, noFlush = false, immediate = false, powerCondition = 0 } = flags;
  const options = (powerCondition << 4) | (noFlush ? 0x04 : 0) | (loadEject ? 0x02 : 0) | (start ? 0x01 : 0);
  return Uint8Array.of(opcode.startStopUnit, immediate ? 0x01 : 0, 0, 0, options, 0);
}

export const preventAllowMediumRemoval = (prevent: boolean): Uint8Array =>
  Uint8Array.of(opcode.preventAllowMediumRemoval, 0, 0, 0, prevent ? 1 : 0, 0);

/** The default self-test. */
export const selfTest = (): Uint8Array => Uint8Array.of(opcode.sendDiagnostic, 0x04, 0, 0, 0, 0);

export function receiveDiagnosticResults(page: number, allocationLength = 4096): Uint8Array {
  const cdb = Uint8Array.of(opcode.receiveDiagnosticResults, 0x01, page, 0, 0, 0);
  writeUint16(cdb, 3, allocationLength);
  return cdb;
}

function maintenance(code: number, action: number, length: number): Uint8Array {
  const cdb = new Uint8Array(12);
  cdb[0] = code;
  cdb[1] = action;
  writeUint32(cdb, 6, length);
  return cdb;
}

export const reportSupportedTaskManagementFunctions = (allocationLength = 4): Uint8Array =>
  maintenance(opcode.maintenanceIn, serviceAction.reportSupportedTaskManagementFunctions, allocationLength);

/** @param extendedHeader with the implicit transition time */
export function reportTargetPortGroups(extendedHeader = false, allocationLength = 4096): Uint8Array {
  const action = serviceAction.reportTargetPortGroups | (extendedHeader ? 0x20 : 0);
  return maintenance(opcode.maintenanceIn, action, allocationLength);
}

/** @param parameterListLength bytes of Data-Out: as targetPortGroupParameters makes them */
export const setTargetPortGroups = (parameterListLength: number): Uint8Array =>
  maintenance(opcode.maintenanceOut, serviceAction.setTargetPortGroups, parameterListLength);

/** The parameter list of SET TARGET PORT GROUPS (SPC-4 6.45): a state for each group. */
export function targetPortGroupParameters(states: ReadonlyMap<number, AccessState>): Uint8Array {
  const list = new Uint8Array(4 + 4 * states.size);
  [...states].forEach(([group, state], index) => {
    list[4 + 4 * index] = accessState[state];
    writeUint16(list, 6 + 4 * index, group);
  });
  return list;
}
