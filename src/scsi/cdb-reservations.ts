import { writeUint16, writeUint32 } from './big-endian.js';
import { opcode } from './opcode.js';
import type { ReservationKey } from './reservation-state.js';

/*
 * The reservation commands as an initiator makes them.
 */

export const reserve6 = (): Uint8Array => Uint8Array.of(opcode.reserve6, 0, 0, 0, 0, 0);
export const release6 = (): Uint8Array => Uint8Array.of(opcode.release6, 0, 0, 0, 0, 0);
export const reserve10 = (): Uint8Array => Uint8Array.of(opcode.reserve10, 0, 0, 0, 0, 0, 0, 0, 0, 0);
export const release10 = (): Uint8Array => Uint8Array.of(opcode.release10, 0, 0, 0, 0, 0, 0, 0, 0, 0);

/**
 * @param action service action: `readKeys`, `readReservation`, `reportCapabilities`, `readFullStatus`
 * @param allocationLength bytes
 */
export function persistentReserveIn(action: number, allocationLength = 0x4000): Uint8Array {
  const cdb = new Uint8Array(10);
  cdb[0] = opcode.persistentReserveIn;
  cdb[1] = action;
  writeUint16(cdb, 7, allocationLength);
  return cdb;
}

/**
 * @param action service action: `register` and the others
 * @param type one of `reservationType`, where the service action has one
 * @param parameterListLength bytes of Data-Out
 */
export function persistentReserveOut(action: number, type = 0, parameterListLength = 24): Uint8Array {
  const cdb = new Uint8Array(10);
  cdb[0] = opcode.persistentReserveOut;
  cdb[1] = action;
  cdb[2] = type;
  writeUint32(cdb, 5, parameterListLength);
  return cdb;
}

function putKey(list: Uint8Array, at: number, key: ReservationKey): void {
  for (let byte = 0; byte < 8; byte++) list[at + byte] = parseInt(key.slice(2 * byte, 2 * byte + 2), 16);
}

export interface ReserveParameters {
  /** What the initiator registered before: 16 hexadecimal digits. Default zero. */
  readonly key?: ReservationKey;
  /** SERVICE ACTION RESERVATION KEY: the key to register, or to preempt. Default zero. */
  readonly serviceActionKey?: ReservationKey;
  /** ALL_TG_PT */
  readonly allPorts?: boolean;
  /** APTPL */
  readonly persistent?: boolean;
}

const NONE = '0'.repeat(16);

/** The parameter list of every service action but REGISTER AND MOVE (SPC-4 6.16.3). */
export function persistentReserveParameters({
  key = NONE,
  serviceActionKey = NONE,
  allPorts = false,
  persistent = false,
}: ReserveParameters): Uint8Array {
  const list = new Uint8Array(24);
  putKey(list, 0, key);
  putKey(list, 8, serviceActionKey);
  list[20] = (allPorts ? 0x04 : 0) | (persistent ? 0x01 : 0);
  return list;
}

export interface MoveParameters extends Omit<ReserveParameters, 'allPorts'> {
  /** UNREG */
  readonly unregister?: boolean;
  /** RELATIVE TARGET PORT IDENTIFIER */
  readonly port: number;
  readonly transportId: Uint8Array;
}

/** The parameter list of REGISTER AND MOVE (SPC-4 6.16.4). */
export function registerAndMoveParameters({
  key = NONE,
  serviceActionKey = NONE,
  persistent = false,
  unregister = false,
  port,
  transportId,
}: MoveParameters): Uint8Array {
  const list = new Uint8Array(24 + transportId.length);
  putKey(list, 0, key);
  putKey(list, 8, serviceActionKey);
  list[17] = (unregister ? 0x02 : 0) | (persistent ? 0x01 : 0);
  writeUint16(list, 18, port);
  writeUint32(list, 20, transportId.length);
  list.set(transportId, 24);
  return list;
}
