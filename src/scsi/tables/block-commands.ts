import { blockAddress10, blockAddress12, blockAddress16, blockAddress6 } from '../block-address.js';
import type { CommandDefinition } from '../command-definition.js';
import { read, synchronizeCache, verify, write } from '../commands/block-io.js';
import { readCapacity10, readCapacity16 } from '../commands/capacity.js';
import { unmap } from '../commands/unmap.js';
import { writeSame } from '../commands/write-same.js';
import type { Disk } from '../disk.js';
import { opcode, serviceAction } from '../opcode.js';
import { common, CONTROL, eight, four, two } from './common.js';

const primary = { ...common, direction: 'in' } as const;
const reading = { ...common, medium: true, direction: 'in', activity: 'read', execute: read } as const;
const writing = { ...common, medium: true, direction: 'out', activity: 'write' } as const;
const verifying = { ...common, medium: true, direction: 'out', activity: 'read', execute: verify } as const;
const flushing = { ...common, medium: true, direction: 'none', activity: 'write' } as const;

const canUnmap = (disk: Disk): boolean => disk.unmap !== undefined;

/** Commands of SBC-3 that touch logical blocks. */
export const blockCommands: readonly CommandDefinition[] = [
  {
    ...reading,
    opcode: opcode.read6,
    name: 'READ(6)',
    reservation: 'read',
    reference: 'SBC-3 5.9',
    usage: [0x08, 0x1f, ...two, 0xff, CONTROL],
    address: blockAddress6,
  },
  {
    ...writing,
    opcode: opcode.write6,
    name: 'WRITE(6)',
    reservation: 'write',
    reference: 'SBC-3 5.31',
    usage: [0x0a, 0x1f, ...two, 0xff, CONTROL],
    address: blockAddress6,
    execute: write,
  },
  {
    ...primary,
    opcode: opcode.readCapacity10,
    name: 'READ CAPACITY(10)',
    reservation: 'always',
    reference: 'SBC-3 5.15',
    usage: [0x25, 0, ...four, 0, 0, 0x01, CONTROL],
    medium: true,
    execute: readCapacity10,
  },
  {
    ...reading,
    opcode: opcode.read10,
    name: 'READ(10)',
    reservation: 'read',
    reference: 'SBC-3 5.10',
    usage: [0x28, 0xf8, ...four, 0, ...two, CONTROL],
    address: blockAddress10,
  },
  {
    ...writing,
    opcode: opcode.write10,
    name: 'WRITE(10)',
    reservation: 'write',
    reference: 'SBC-3 5.32',
    usage: [0x2a, 0xf8, ...four, 0, ...two, CONTROL],
    address: blockAddress10,
    execute: write,
  },
  {
    ...verifying,
    opcode: opcode.verify10,
    name: 'VERIFY(10)',
    reservation: 'read',
    reference: 'SBC-3 5.24',
    usage: [0x2f, 0xf6, ...four, 0, ...two, CONTROL],
    address: blockAddress10,
  },
  {
    ...flushing,
    opcode: opcode.synchronizeCache10,
    name: 'SYNCHRONIZE CACHE(10)',
    reservation: 'write',
    reference: 'SBC-3 5.21',
    usage: [0x35, 0, ...four, 0, ...two, CONTROL],
    address: blockAddress10,
    execute: synchronizeCache,
  },
  {
    ...writing,
    opcode: opcode.writeSame10,
    name: 'WRITE SAME(10)',
    reservation: 'write',
    reference: 'SBC-3 5.43',
    usage: [0x41, 0xf8, ...four, 0, ...two, CONTROL],
    address: blockAddress10,
    execute: writeSame,
  },
  {
    ...writing,
    opcode: opcode.unmap,
    name: 'UNMAP',
    reservation: 'write',
    reference: 'SBC-3 5.28',
    usage: [0x42, 0x01, 0, 0, 0, 0, 0, ...two, CONTROL],
    available: canUnmap,
    execute: unmap,
  },
  {
    ...reading,
    opcode: opcode.read16,
    name: 'READ(16)',
    reservation: 'read',
    reference: 'SBC-3 5.12',
    usage: [0x88, 0xf8, ...eight, ...four, 0, CONTROL],
    address: blockAddress16,
  },
  {
    ...writing,
    opcode: opcode.write16,
    name: 'WRITE(16)',
    reservation: 'write',
    reference: 'SBC-3 5.34',
    usage: [0x8a, 0xf8, ...eight, ...four, 0, CONTROL],
    address: blockAddress16,
    execute: write,
  },
  {
    ...verifying,
    opcode: opcode.verify16,
    name: 'VERIFY(16)',
    reservation: 'read',
    reference: 'SBC-3 5.26',
    usage: [0x8f, 0xf6, ...eight, ...four, 0, CONTROL],
    address: blockAddress16,
  },
  {
    ...flushing,
    opcode: opcode.synchronizeCache16,
    name: 'SYNCHRONIZE CACHE(16)',
    reservation: 'write',
    reference: 'SBC-3 5.22',
    usage: [0x91, 0, ...eight, ...four, 0, CONTROL],
    address: blockAddress16,
    execute: synchronizeCache,
  },
  {
    ...writing,
    opcode: opcode.writeSame16,
    name: 'WRITE SAME(16)',
    reservation: 'write',
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
    reservation: 'always',
    reference: 'SBC-3 5.16',
    usage: [0x9e, 0x10, ...eight, ...four, 0x01, CONTROL],
    medium: true,
    execute: readCapacity16,
  },
  {
    ...reading,
    opcode: opcode.read12,
    name: 'READ(12)',
    reservation: 'read',
    reference: 'SBC-3 5.11',
    usage: [0xa8, 0xf8, ...four, ...four, 0, CONTROL],
    address: blockAddress12,
  },
  {
    ...writing,
    opcode: opcode.write12,
    name: 'WRITE(12)',
    reservation: 'write',
    reference: 'SBC-3 5.33',
    usage: [0xaa, 0xf8, ...four, ...four, 0, CONTROL],
    address: blockAddress12,
    execute: write,
  },
  {
    ...verifying,
    opcode: opcode.verify12,
    name: 'VERIFY(12)',
    reservation: 'read',
    reference: 'SBC-3 5.25',
    usage: [0xaf, 0xf6, ...four, ...four, 0, CONTROL],
    address: blockAddress12,
  },
];
