import type { CommandDefinition } from '../command-definition.js';
import { extendedCopy } from '../commands/extended-copy.js';
import { populateToken } from '../commands/populate-token.js';
import {
  receiveCopyDataLid1,
  receiveCopyFailureDetailsLid1,
  receiveCopyOperatingParameters,
  receiveCopyStatusLid1,
  receiveCopyStatusLid4,
  receiveRodTokenInformation,
} from '../commands/receive-copy-results.js';
import { writeUsingToken } from '../commands/write-using-token.js';
import { opcode, serviceAction } from '../opcode.js';
import { common, CONTROL, four } from './common.js';

const out = {
  ...common,
  opcode: opcode.thirdPartyCopyOut,
  direction: 'out',
  medium: true,
  reservation: 'write',
} as const;
const into = { ...common, opcode: opcode.thirdPartyCopyIn, direction: 'in', reservation: 'read' } as const;

/** CDB usage after the service action, for list identifiers of one byte and of four. */
const lid1 = [0xff, 0, 0, 0, 0, 0, 0, 0, ...four, 0, CONTROL] as const;
const lid4 = [...four, 0, 0, 0, 0, ...four, 0, CONTROL] as const;
const noId = [0, 0, 0, 0, 0, 0, 0, 0, ...four, 0, CONTROL] as const;

/** Third-party copy: EXTENDED COPY and the token commands (SPC-4 5.17, SBC-3 4.28). */
export const copyCommands: readonly CommandDefinition[] = [
  {
    ...out,
    serviceAction: serviceAction.extendedCopyLid1,
    name: 'EXTENDED COPY(LID1)',
    reference: 'SPC-4 6.5',
    usage: [0x83, 0x00, ...noId],
    execute: extendedCopy,
  },
  {
    ...out,
    serviceAction: serviceAction.populateToken,
    name: 'POPULATE TOKEN',
    reservation: 'read',
    reference: 'SBC-3 5.7',
    usage: [0x83, 0x10, ...lid4],
    execute: populateToken,
  },
  {
    ...out,
    serviceAction: serviceAction.writeUsingToken,
    name: 'WRITE USING TOKEN',
    reference: 'SBC-3 5.48',
    usage: [0x83, 0x11, ...lid4],
    execute: writeUsingToken,
  },
  {
    ...into,
    serviceAction: serviceAction.receiveCopyStatusLid1,
    name: 'RECEIVE COPY STATUS(LID1)',
    reference: 'SPC-4 6.25',
    usage: [0x84, 0x00, ...lid1],
    execute: receiveCopyStatusLid1,
  },
  {
    ...into,
    serviceAction: serviceAction.receiveCopyDataLid1,
    name: 'RECEIVE COPY DATA(LID1)',
    reference: 'SPC-4 6.21',
    usage: [0x84, 0x01, ...lid1],
    execute: receiveCopyDataLid1,
  },
  {
    ...into,
    serviceAction: serviceAction.receiveCopyOperatingParameters,
    name: 'RECEIVE COPY OPERATING PARAMETERS',
    reference: 'SPC-4 6.22',
    usage: [0x84, 0x03, ...noId],
    execute: receiveCopyOperatingParameters,
  },
  {
    ...into,
    serviceAction: serviceAction.receiveCopyFailureDetailsLid1,
    name: 'RECEIVE COPY FAILURE DETAILS(LID1)',
    reference: 'SPC-4 6.23',
    usage: [0x84, 0x04, ...lid1],
    execute: receiveCopyFailureDetailsLid1,
  },
  {
    ...into,
    serviceAction: serviceAction.receiveCopyStatusLid4,
    name: 'RECEIVE COPY STATUS(LID4)',
    reference: 'SPC-4 6.24',
    usage: [0x84, 0x05, ...lid4],
    execute: receiveCopyStatusLid4,
  },
  {
    ...into,
    serviceAction: serviceAction.receiveRodTokenInformation,
    name: 'RECEIVE ROD TOKEN INFORMATION',
    reference: 'SPC-4 6.26',
    usage: [0x84, 0x07, ...lid4],
    execute: receiveRodTokenInformation,
  },
];
