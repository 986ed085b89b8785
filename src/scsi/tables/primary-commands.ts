import type { CommandDefinition } from '../command-definition.js';
import { inquiry } from '../commands/inquiry.js';
import { logSelect } from '../commands/log-select.js';
import { logSense } from '../commands/log-sense.js';
import { preventAllowMediumRemoval, startStopUnit } from '../commands/medium.js';
import { modeSelect } from '../commands/mode-select.js';
import { modeSense } from '../commands/mode-sense.js';
import { reportLuns, requestSense, testUnitReady } from '../commands/primary.js';
import { reportSupportedOperationCodes } from '../commands/supported-operation-codes.js';
import { opcode, serviceAction } from '../opcode.js';
import { common, CONTROL, four, two } from './common.js';

const primary = { ...common, direction: 'in' } as const;
const flushing = { ...common, medium: true, direction: 'none', activity: 'write' } as const;

/** Commands of SPC-4, and those of SBC-3 that do not touch blocks. */
export const primaryCommands: readonly CommandDefinition[] = [
  {
    ...common,
    opcode: opcode.testUnitReady,
    name: 'TEST UNIT READY',
    reservation: 'always',
    reference: 'SPC-4 6.49',
    usage: [0x00, 0, 0, 0, 0, CONTROL],
    direction: 'none',
    medium: true,
    execute: testUnitReady,
  },
  {
    ...primary,
    opcode: opcode.requestSense,
    name: 'REQUEST SENSE',
    reservation: 'always',
    reference: 'SPC-4 6.39',
    usage: [0x03, 0x01, 0, 0, 0xff, CONTROL],
    ignoresUnitAttention: true,
    execute: requestSense,
  },
  {
    ...primary,
    opcode: opcode.inquiry,
    name: 'INQUIRY',
    reservation: 'always',
    reference: 'SPC-4 6.6',
    usage: [0x12, 0x03, 0xff, ...two, CONTROL],
    ignoresUnitAttention: true,
    execute: inquiry,
  },
  {
    ...common,
    opcode: opcode.modeSelect6,
    name: 'MODE SELECT(6)',
    reservation: 'write',
    reference: 'SPC-4 6.9',
    usage: [0x15, 0x11, 0, 0, 0xff, CONTROL],
    direction: 'out',
    execute: modeSelect,
  },
  {
    ...primary,
    opcode: opcode.modeSense6,
    name: 'MODE SENSE(6)',
    reservation: 'read',
    reference: 'SPC-4 6.11',
    usage: [0x1a, 0x08, 0xff, 0xff, 0xff, CONTROL],
    execute: modeSense,
  },
  {
    ...flushing,
    opcode: opcode.startStopUnit,
    name: 'START STOP UNIT',
    reservation: ({ 4: byte4 }) => ((byte4 & 0xf1) === 0x01 ? 'always' : 'write'),
    reference: 'SBC-3 5.20',
    usage: [0x1b, 0x01, 0, 0x0f, 0xf7, CONTROL],
    medium: false,
    execute: startStopUnit,
  },
  {
    ...common,
    opcode: opcode.preventAllowMediumRemoval,
    name: 'PREVENT ALLOW MEDIUM REMOVAL',
    reservation: ({ 4: byte4 }) => ((byte4 & 0x03) === 0 ? 'always' : 'write'),
    reference: 'SPC-4 6.18',
    usage: [0x1e, 0, 0, 0, 0x03, CONTROL],
    direction: 'none',
    available: (_disk, { removable }) => removable,
    execute: preventAllowMediumRemoval,
  },
  {
    ...common,
    opcode: opcode.logSelect,
    name: 'LOG SELECT',
    reservation: 'write',
    reference: 'SPC-4 6.7',
    usage: [0x4c, 0x03, 0xff, 0xff, 0, 0, 0, ...two, CONTROL],
    direction: 'out',
    execute: logSelect,
  },
  {
    ...primary,
    opcode: opcode.logSense,
    name: 'LOG SENSE',
    reservation: 'read',
    reference: 'SPC-4 6.8',
    usage: [0x4d, 0x01, 0xff, 0xff, 0, ...two, ...two, CONTROL],
    execute: logSense,
  },
  {
    ...common,
    opcode: opcode.modeSelect10,
    name: 'MODE SELECT(10)',
    reservation: 'write',
    reference: 'SPC-4 6.10',
    usage: [0x55, 0x11, 0, 0, 0, 0, 0, ...two, CONTROL],
    direction: 'out',
    execute: modeSelect,
  },
  {
    ...primary,
    opcode: opcode.modeSense10,
    name: 'MODE SENSE(10)',
    reservation: 'read',
    reference: 'SPC-4 6.12',
    usage: [0x5a, 0x18, 0xff, 0xff, 0, 0, 0, ...two, CONTROL],
    execute: modeSense,
  },
  {
    ...primary,
    opcode: opcode.reportLuns,
    name: 'REPORT LUNS',
    reservation: 'always',
    reference: 'SPC-4 6.33',
    usage: [0xa0, 0, 0xff, 0, 0, 0, ...four, 0, CONTROL],
    ignoresUnitAttention: true,
    execute: reportLuns,
  },
  {
    ...primary,
    opcode: opcode.maintenanceIn,
    serviceAction: serviceAction.reportSupportedOperationCodes,
    name: 'REPORT SUPPORTED OPERATION CODES',
    reservation: 'read',
    reference: 'SPC-4 6.35',
    usage: [0xa3, 0x0c, 0x87, 0xff, ...two, ...four, 0, CONTROL],
    execute: reportSupportedOperationCodes,
  },
];
