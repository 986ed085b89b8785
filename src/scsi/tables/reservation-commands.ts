import type { CommandDefinition } from '../command-definition.js';
import { persistentReserveIn } from '../commands/persistent-reserve-in.js';
import { persistentReserveOut } from '../commands/persistent-reserve-out.js';
import { release, reserve } from '../commands/reserve-release.js';
import { opcode, serviceAction } from '../opcode.js';
import { common, CONTROL, four, two } from './common.js';

const own = { ...common, reservation: 'own' } as const;

const persistentIn = (action: number, name: string, reference: string): CommandDefinition => ({
  ...own,
  opcode: opcode.persistentReserveIn,
  serviceAction: action,
  name: `PERSISTENT RESERVE IN, ${name}`,
  reference,
  usage: [0x5e, action, 0, 0, 0, 0, 0, ...two, CONTROL],
  direction: 'in',
  execute: persistentReserveIn,
});

/** @param scopeAndType usage of byte 2 */
const persistentOut = (
  action: number,
  name: string,
  reference: string,
  scopeAndType = 0,
): CommandDefinition => ({
  ...own,
  opcode: opcode.persistentReserveOut,
  serviceAction: action,
  name: `PERSISTENT RESERVE OUT, ${name}`,
  reference,
  usage: [0x5f, action, scopeAndType, 0, 0, ...four, CONTROL],
  direction: 'out',
  execute: persistentReserveOut,
});

/** Reservations: RESERVE, RELEASE, PERSISTENT RESERVE IN and OUT (SPC-4 5.13). */
export const reservationCommands: readonly CommandDefinition[] = [
  {
    ...own,
    opcode: opcode.reserve6,
    name: 'RESERVE(6)',
    reference: 'SPC-2 7.22',
    usage: [0x16, 0x11, 0, 0, 0, CONTROL],
    direction: 'none',
    execute: reserve,
  },
  {
    ...own,
    opcode: opcode.release6,
    name: 'RELEASE(6)',
    reference: 'SPC-2 7.18',
    usage: [0x17, 0x11, 0, 0, 0, CONTROL],
    direction: 'none',
    execute: release,
  },
  {
    ...own,
    opcode: opcode.reserve10,
    name: 'RESERVE(10)',
    reference: 'SPC-2 7.21',
    usage: [0x56, 0x11, 0, 0, 0, 0, 0, 0, 0, CONTROL],
    direction: 'none',
    execute: reserve,
  },
  {
    ...own,
    opcode: opcode.release10,
    name: 'RELEASE(10)',
    reference: 'SPC-2 7.17',
    usage: [0x57, 0x11, 0, 0, 0, 0, 0, 0, 0, CONTROL],
    direction: 'none',
    execute: release,
  },
  persistentIn(serviceAction.readKeys, 'READ KEYS', 'SPC-4 6.15.2'),
  persistentIn(serviceAction.readReservation, 'READ RESERVATION', 'SPC-4 6.15.3'),
  persistentIn(serviceAction.reportCapabilities, 'REPORT CAPABILITIES', 'SPC-4 6.15.4'),
  persistentIn(serviceAction.readFullStatus, 'READ FULL STATUS', 'SPC-4 6.15.5'),
  persistentOut(serviceAction.register, 'REGISTER', 'SPC-4 5.13.7'),
  persistentOut(serviceAction.reserve, 'RESERVE', 'SPC-4 5.13.9', 0xff),
  persistentOut(serviceAction.release, 'RELEASE', 'SPC-4 5.13.11.2', 0xff),
  persistentOut(serviceAction.clear, 'CLEAR', 'SPC-4 5.13.11.6'),
  persistentOut(serviceAction.preempt, 'PREEMPT', 'SPC-4 5.13.11.4', 0xff),
  persistentOut(serviceAction.preemptAndAbort, 'PREEMPT AND ABORT', 'SPC-4 5.13.11.5', 0xff),
  persistentOut(
    serviceAction.registerAndIgnoreExistingKey,
    'REGISTER AND IGNORE EXISTING KEY',
    'SPC-4 5.13.7',
  ),
  persistentOut(serviceAction.registerAndMove, 'REGISTER AND MOVE', 'SPC-4 5.13.8'),
];
