/*
 * The command table: dispatch, REPORT SUPPORTED OPERATION CODES, the list in the documentation and the fuzzer
 * are all derived from it. A command that is not here ends with 05/20/00.
 */
import { blockAddress10, blockAddress12, blockAddress16, blockAddress6 } from './block-address.js';
import { deviceType, type CommandDefinition } from './command-definition.js';
import { read, synchronizeCache, verify, write } from './commands/block-io.js';
import { readCapacity10, readCapacity16 } from './commands/capacity.js';
import { inquiry } from './commands/inquiry.js';
import { modeSelect } from './commands/mode-select.js';
import { modeSense } from './commands/mode-sense.js';
import { reportLuns, requestSense, startStopUnit, testUnitReady } from './commands/primary.js';
import { reportSupportedOperationCodes } from './commands/supported-operation-codes.js';
import { unmap } from './commands/unmap.js';
import { writeSame } from './commands/write-same.js';
import type { Disk } from './disk.js';
import { opcode, serviceAction } from './opcode.js';

/** CONTROL: NACA is looked at, and refused. */
const CONTROL = 0x04;

const two = [0xff, 0xff] as const;
const four = [0xff, 0xff, 0xff, 0xff] as const;
const eight = [...four, ...four] as const;

/** What the commands of a direct access block device have in common. */
const common = {
  deviceTypes: [deviceType.directAccess],
  medium: false,
  ignoresUnitAttention: false,
  activity: 'other',
} as const;
const primary = { ...common, direction: 'in' } as const;
const reading = { ...common, medium: true, direction: 'in', activity: 'read', execute: read } as const;
const writing = { ...common, medium: true, direction: 'out', activity: 'write' } as const;
const verifying = { ...common, medium: true, direction: 'out', activity: 'read', execute: verify } as const;
const flushing = { ...common, medium: true, direction: 'none', activity: 'write' } as const;

const canUnmap = (disk: Disk): boolean => disk.unmap !== undefined;

export const commandTable: readonly CommandDefinition[] = [
  {
    ...common,
    opcode: opcode.testUnitReady,
    name: 'TEST UNIT READY',
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
    reference: 'SPC-4 6.39',
    usage: [0x03, 0x01, 0, 0, 0xff, CONTROL],
    ignoresUnitAttention: true,
    execute: requestSense,
  },
  {
    ...reading,
    opcode: opcode.read6,
    name: 'READ(6)',
    reference: 'SBC-3 5.9',
    usage: [0x08, 0x1f, ...two, 0xff, CONTROL],
    address: blockAddress6,
  },
  {
    ...writing,
    opcode: opcode.write6,
    name: 'WRITE(6)',
    reference: 'SBC-3 5.31',
    usage: [0x0a, 0x1f, ...two, 0xff, CONTROL],
    address: blockAddress6,
    execute: write,
  },
  {
    ...primary,
    opcode: opcode.inquiry,
    name: 'INQUIRY',
    reference: 'SPC-4 6.6',
    usage: [0x12, 0x03, 0xff, ...two, CONTROL],
    ignoresUnitAttention: true,
    execute: inquiry,
  },
  {
    ...common,
    opcode: opcode.modeSelect6,
    name: 'MODE SELECT(6)',
    reference: 'SPC-4 6.9',
    usage: [0x15, 0x11, 0, 0, 0xff, CONTROL],
    direction: 'out',
    execute: modeSelect,
  },
  {
    ...primary,
    opcode: opcode.modeSense6,
    name: 'MODE SENSE(6)',
    reference: 'SPC-4 6.11',
    usage: [0x1a, 0x08, 0xff, 0xff, 0xff, CONTROL],
    execute: modeSense,
  },
  {
    ...flushing,
    opcode: opcode.startStopUnit,
    name: 'START STOP UNIT',
    reference: 'SBC-3 5.20',
    usage: [0x1b, 0, 0, 0, 0xf7, CONTROL],
    medium: false,
    execute: startStopUnit,
  },
  {
    ...primary,
    opcode: opcode.readCapacity10,
    name: 'READ CAPACITY(10)',
    reference: 'SBC-3 5.15',
    usage: [0x25, 0, ...four, 0, 0, 0x01, CONTROL],
    medium: true,
    execute: readCapacity10,
  },
  {
    ...reading,
    opcode: opcode.read10,
    name: 'READ(10)',
    reference: 'SBC-3 5.10',
    usage: [0x28, 0xf8, ...four, 0, ...two, CONTROL],
    address: blockAddress10,
  },
  {
    ...writing,
    opcode: opcode.write10,
    name: 'WRITE(10)',
    reference: 'SBC-3 5.32',
    usage: [0x2a, 0xf8, ...four, 0, ...two, CONTROL],
    address: blockAddress10,
    execute: write,
  },
  {
    ...verifying,
    opcode: opcode.verify10,
    name: 'VERIFY(10)',
    reference: 'SBC-3 5.24',
    usage: [0x2f, 0xf6, ...four, 0, ...two, CONTROL],
    address: blockAddress10,
  },
  {
    ...flushing,
    opcode: opcode.synchronizeCache10,
    name: 'SYNCHRONIZE CACHE(10)',
    reference: 'SBC-3 5.21',
    usage: [0x35, 0, ...four, 0, ...two, CONTROL],
    address: blockAddress10,
    execute: synchronizeCache,
  },
  {
    ...writing,
    opcode: opcode.writeSame10,
    name: 'WRITE SAME(10)',
    reference: 'SBC-3 5.43',
    usage: [0x41, 0xf8, ...four, 0, ...two, CONTROL],
    address: blockAddress10,
    execute: writeSame,
  },
  {
    ...writing,
    opcode: opcode.unmap,
    name: 'UNMAP',
    reference: 'SBC-3 5.28',
    usage: [0x42, 0x01, 0, 0, 0, 0, 0, ...two, CONTROL],
    available: canUnmap,
    execute: unmap,
  },
  {
    ...common,
    opcode: opcode.modeSelect10,
    name: 'MODE SELECT(10)',
    reference: 'SPC-4 6.10',
    usage: [0x55, 0x11, 0, 0, 0, 0, 0, ...two, CONTROL],
    direction: 'out',
    execute: modeSelect,
  },
  {
    ...primary,
    opcode: opcode.modeSense10,
    name: 'MODE SENSE(10)',
    reference: 'SPC-4 6.12',
    usage: [0x5a, 0x18, 0xff, 0xff, 0, 0, 0, ...two, CONTROL],
    execute: modeSense,
  },
  {
    ...reading,
    opcode: opcode.read16,
    name: 'READ(16)',
    reference: 'SBC-3 5.12',
    usage: [0x88, 0xf8, ...eight, ...four, 0, CONTROL],
    address: blockAddress16,
  },
  {
    ...writing,
    opcode: opcode.write16,
    name: 'WRITE(16)',
    reference: 'SBC-3 5.34',
    usage: [0x8a, 0xf8, ...eight, ...four, 0, CONTROL],
    address: blockAddress16,
    execute: write,
  },
  {
    ...verifying,
    opcode: opcode.verify16,
    name: 'VERIFY(16)',
    reference: 'SBC-3 5.26',
    usage: [0x8f, 0xf6, ...eight, ...four, 0, CONTROL],
    address: blockAddress16,
  },
  {
    ...flushing,
    opcode: opcode.synchronizeCache16,
    name: 'SYNCHRONIZE CACHE(16)',
    reference: 'SBC-3 5.22',
    usage: [0x91, 0, ...eight, ...four, 0, CONTROL],
    address: blockAddress16,
    execute: synchronizeCache,
  },
  {
    ...writing,
    opcode: opcode.writeSame16,
    name: 'WRITE SAME(16)',
    reference: 'SBC-3 5.44',
    usage: [0x93, 0xf9, ...eight, ...four, 0, CONTROL],
    address: blockAddress16,
    execute: writeSame,
  },
  {
    ...primary,
    opcode: opcode.serviceActionIn16,
    serviceAction: serviceAction.readCapacity16,
    name: 'READ CAPACITY(16)',
    reference: 'SBC-3 5.16',
    usage: [0x9e, 0x10, ...eight, ...four, 0x01, CONTROL],
    medium: true,
    execute: readCapacity16,
  },
  {
    ...primary,
    opcode: opcode.reportLuns,
    name: 'REPORT LUNS',
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
    reference: 'SPC-4 6.35',
    usage: [0xa3, 0x0c, 0x87, 0xff, ...two, ...four, 0, CONTROL],
    execute: reportSupportedOperationCodes,
  },
  {
    ...reading,
    opcode: opcode.read12,
    name: 'READ(12)',
    reference: 'SBC-3 5.11',
    usage: [0xa8, 0xf8, ...four, ...four, 0, CONTROL],
    address: blockAddress12,
  },
  {
    ...writing,
    opcode: opcode.write12,
    name: 'WRITE(12)',
    reference: 'SBC-3 5.33',
    usage: [0xaa, 0xf8, ...four, ...four, 0, CONTROL],
    address: blockAddress12,
    execute: write,
  },
  {
    ...verifying,
    opcode: opcode.verify12,
    name: 'VERIFY(12)',
    reference: 'SBC-3 5.25',
    usage: [0xaf, 0xf6, ...four, ...four, 0, CONTROL],
    address: blockAddress12,
  },
];
