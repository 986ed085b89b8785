import { blockAddress32 } from '../block-address.js';
import type { CommandDefinition, UnitFeatures } from '../command-definition.js';
import { write } from '../commands/block-io.js';
import { writeAndVerify } from '../commands/block-verify.js';
import { getLbaStatus } from '../commands/get-lba-status.js';
import { writeSame } from '../commands/write-same.js';
import type { Disk } from '../disk.js';
import { opcode, serviceAction } from '../opcode.js';
import { CONTROL, eight, four, primary, reading, verifying, writing } from './common.js';

const variable = {
  opcode: opcode.variableLength,
  address: blockAddress32,
  available: (_disk: Disk, { longCommands }: UnitFeatures): boolean => longCommands,
} as const;

/** Usage map: CONTROL is byte 1, ADDITIONAL CDB LENGTH byte 7, the service action bytes 8 and 9 (SPC-4 4.2.3). */
function usage32(action: number, flags: number): number[] {
  const start = [opcode.variableLength, CONTROL, 0, 0, 0, 0, 0, 0x18, action >> 8, action & 0xff, flags, 0];
  return [...start, ...eight, ...new Array<number>(8).fill(0), ...four];
}

/** Commands of SBC-3 with a CDB of 32 bytes. */
export const variableLengthCommands: readonly CommandDefinition[] = [
  {
    ...reading,
    ...variable,
    serviceAction: serviceAction.read32,
    name: 'READ(32)',
    reservation: 'read',
    reference: 'SBC-3 5.13',
    usage: usage32(serviceAction.read32, 0xf8),
  },
  {
    ...verifying,
    ...variable,
    serviceAction: serviceAction.verify32,
    name: 'VERIFY(32)',
    reservation: 'read',
    reference: 'SBC-3 5.27',
    usage: usage32(serviceAction.verify32, 0xf6),
  },
  {
    ...writing,
    ...variable,
    serviceAction: serviceAction.write32,
    name: 'WRITE(32)',
    reservation: 'write',
    reference: 'SBC-3 5.34',
    usage: usage32(serviceAction.write32, 0xf8),
    execute: write,
  },
  {
    ...writing,
    ...variable,
    serviceAction: serviceAction.writeAndVerify32,
    name: 'WRITE AND VERIFY(32)',
    reservation: 'write',
    reference: 'SBC-3 5.39',
    usage: usage32(serviceAction.writeAndVerify32, 0xf6),
    execute: writeAndVerify,
  },
  {
    ...writing,
    ...variable,
    serviceAction: serviceAction.writeSame32,
    name: 'WRITE SAME(32)',
    reservation: 'write',
    reference: 'SBC-3 5.45',
    usage: usage32(serviceAction.writeSame32, 0xf9),
    execute: writeSame,
  },
  {
    ...primary,
    ...variable,
    serviceAction: serviceAction.getLbaStatus32,
    name: 'GET LBA STATUS(32)',
    reservation: 'read',
    reference: 'SBC-4 5.8',
    usage: usage32(serviceAction.getLbaStatus32, 0xff),
    medium: true,
    activity: 'read',
    execute: getLbaStatus,
  },
];
