import { blockAddress10, blockAddress16 } from '../block-address.js';
import type { CommandDefinition } from '../command-definition.js';
import { preFetch, synchronizeCache } from '../commands/block-cache.js';
import { readCapacity10, readCapacity16 } from '../commands/capacity.js';
import { readDefectData } from '../commands/defect-data.js';
import { formatUnit } from '../commands/format-unit.js';
import { getLbaStatus } from '../commands/get-lba-status.js';
import {
  sanitizeBlockErase,
  sanitizeCryptographicErase,
  sanitizeExitFailureMode,
  sanitizeOverwrite,
} from '../commands/sanitize.js';
import { unmap } from '../commands/unmap.js';
import type { Disk } from '../disk.js';
import { opcode, serviceAction } from '../opcode.js';
import { CONTROL, eight, flushing, four, primary, two, writing } from './common.js';

const sanitizing = { ...writing, opcode: opcode.sanitize, reservation: 'write' } as const;

const canUnmap = (disk: Disk): boolean => disk.unmap !== undefined;
const canCryptoErase = (disk: Disk): boolean => disk.cryptoErase !== undefined;

/** Commands of SBC-3 for the medium: its size, state, cache, and what makes all of it new. */
export const mediumCommands: readonly CommandDefinition[] = [
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
    ...flushing,
    opcode: opcode.synchronizeCache10,
    name: 'SYNCHRONIZE CACHE(10)',
    reservation: 'write',
    reference: 'SBC-3 5.21',
    usage: [0x35, 0x02, ...four, 0, ...two, CONTROL],
    address: blockAddress10,
    execute: synchronizeCache,
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
    ...flushing,
    opcode: opcode.synchronizeCache16,
    name: 'SYNCHRONIZE CACHE(16)',
    reservation: 'write',
    reference: 'SBC-3 5.22',
    usage: [0x91, 0x02, ...eight, ...four, 0, CONTROL],
    address: blockAddress16,
    execute: synchronizeCache,
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
    ...writing,
    opcode: opcode.formatUnit,
    name: 'FORMAT UNIT',
    reservation: 'write',
    reference: 'SBC-3 5.3',
    usage: [0x04, 0xff, 0, 0, 0, CONTROL],
    execute: formatUnit,
  },
  {
    ...flushing,
    opcode: opcode.preFetch10,
    name: 'PRE-FETCH(10)',
    reservation: 'read',
    reference: 'SBC-3 5.5',
    usage: [0x34, 0x02, ...four, 0, ...two, CONTROL],
    activity: 'read',
    address: blockAddress10,
    execute: preFetch,
  },
  {
    ...primary,
    opcode: opcode.readDefectData10,
    name: 'READ DEFECT DATA(10)',
    reservation: 'read',
    reference: 'SBC-3 5.17',
    usage: [0x37, 0, 0x1f, 0, 0, 0, 0, ...two, CONTROL],
    medium: true,
    execute: readDefectData,
  },
  {
    ...sanitizing,
    serviceAction: serviceAction.sanitizeOverwrite,
    name: 'SANITIZE, OVERWRITE',
    reference: 'SBC-3 5.19',
    usage: [0x48, 0xe1, ...four, 0xff, ...two, CONTROL],
    execute: sanitizeOverwrite,
  },
  {
    ...sanitizing,
    serviceAction: serviceAction.sanitizeBlockErase,
    name: 'SANITIZE, BLOCK ERASE',
    reference: 'SBC-3 5.19',
    usage: [0x48, 0xe2, ...four, 0xff, ...two, CONTROL],
    direction: 'none',
    available: canUnmap,
    execute: sanitizeBlockErase,
  },
  {
    ...sanitizing,
    serviceAction: serviceAction.sanitizeCryptographicErase,
    name: 'SANITIZE, CRYPTOGRAPHIC ERASE',
    reference: 'SBC-3 5.19',
    usage: [0x48, 0xe3, ...four, 0xff, ...two, CONTROL],
    direction: 'none',
    available: canCryptoErase,
    execute: sanitizeCryptographicErase,
  },
  {
    ...sanitizing,
    serviceAction: serviceAction.sanitizeExitFailureMode,
    name: 'SANITIZE, EXIT FAILURE MODE',
    reference: 'SBC-3 5.19',
    usage: [0x48, 0xff, ...four, 0xff, ...two, CONTROL],
    direction: 'none',
    execute: sanitizeExitFailureMode,
  },
  {
    ...flushing,
    opcode: opcode.preFetch16,
    name: 'PRE-FETCH(16)',
    reservation: 'read',
    reference: 'SBC-3 5.6',
    usage: [0x90, 0x02, ...eight, ...four, 0, CONTROL],
    activity: 'read',
    address: blockAddress16,
    execute: preFetch,
  },
  {
    ...primary,
    opcode: opcode.serviceActionIn16,
    serviceAction: serviceAction.getLbaStatus16,
    name: 'GET LBA STATUS(16)',
    reservation: 'read',
    reference: 'SBC-3 5.7',
    usage: [0x9e, 0x12, ...eight, ...four, 0xff, CONTROL],
    address: blockAddress16,
    medium: true,
    activity: 'read',
    execute: getLbaStatus,
  },
  {
    ...primary,
    opcode: opcode.readDefectData12,
    name: 'READ DEFECT DATA(12)',
    reservation: 'read',
    reference: 'SBC-3 5.18',
    usage: [0xb7, 0x1f, ...four, ...four, 0, CONTROL],
    medium: true,
    execute: readDefectData,
  },
];
