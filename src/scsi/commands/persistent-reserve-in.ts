import { readUint16, writeUint16, writeUint32 } from '../big-endian.js';
import type { CommandDefinition, Result } from '../command-definition.js';
import type { ScsiCommand } from '../command.js';
import { fillDataIn } from '../data-transfer.js';
import { serviceAction } from '../opcode.js';
import {
  holds,
  reservationType,
  type Registration,
  type ReservationKey,
  type ReservationState,
} from '../reservation-state.js';
import type { Reservations } from '../reservations.js';
import type { Unit } from '../unit.js';

const HEADER = 8;

function keyBytes(key: ReservationKey): Uint8Array {
  return Uint8Array.from(key.match(/../g)!, (pair) => parseInt(pair, 16));
}

/** PRGENERATION and ADDITIONAL LENGTH, and room for what follows. */
function listOf(state: ReservationState, length: number): Uint8Array {
  const data = new Uint8Array(HEADER + length);
  writeUint32(data, 0, state.generation);
  writeUint32(data, 4, length);
  return data;
}

/** SPC-4 6.15.2 */
function readKeys({ state }: Reservations): Uint8Array {
  const data = listOf(state, 8 * state.registrations.size);
  let at = HEADER;
  for (const { key } of state.registrations.values()) {
    data.set(keyBytes(key), at);
    at += 8;
  }
  return data;
}

/** SPC-4 6.15.3. The key is zero where all registrants hold the reservation. */
function readReservation({ state }: Reservations): Uint8Array {
  const { reservation, registrations } = state;
  if (!reservation) return listOf(state, 0);
  const data = listOf(state, 16);
  if (reservation.holder !== undefined) {
    data.set(keyBytes(registrations.get(reservation.holder)!.key), HEADER);
  }
  data[21] = reservation.type;
  return data;
}

/** TYPE MASK: bit 8 + type in the first byte, the rest in the second (SPC-4 table 212). */
function typeMask(): number {
  const types = Object.values(reservationType);
  return types.reduce((mask, type) => mask | (type === 0x8 ? 0x0001 : 1 << (8 + type)), 0);
}

/** SPC-4 6.15.4 */
function reportCapabilities({ state, canPersist }: Reservations): Uint8Array {
  const data = new Uint8Array(8);
  writeUint16(data, 0, data.length);
  data[2] = 0x10 | 0x04 | (canPersist ? 0x01 : 0); // CRH, ATP_C, PTPL_C
  // TMV; ALLOW COMMANDS 3: TEST UNIT READY always, MODE SENSE and its like with write exclusive types.
  data[3] = 0x80 | 0x30 | (state.persistent ? 0x01 : 0);
  writeUint16(data, 4, typeMask());
  return data;
}

/** A full status descriptor (SPC-4 table 215). */
function statusDescriptor(state: ReservationState, registration: Registration): Uint8Array {
  const { key, port, transportId } = registration;
  const data = new Uint8Array(24 + transportId.length);
  data.set(keyBytes(key), 0);
  const holder = holds(state, registration);
  data[12] = (port === 'all' ? 0x02 : 0) | (holder ? 0x01 : 0);
  if (holder) data[13] = state.reservation!.type;
  writeUint16(data, 18, port === 'all' ? 0 : port);
  writeUint32(data, 20, transportId.length);
  data.set(transportId, 24);
  return data;
}

/** SPC-4 6.15.5 */
function readFullStatus({ state }: Reservations): Uint8Array {
  const descriptors = Array.from(state.registrations.values(), (registration) =>
    statusDescriptor(state, registration),
  );
  const data = listOf(
    state,
    descriptors.reduce((sum, { length }) => sum + length, 0),
  );
  let at = HEADER;
  for (const descriptor of descriptors) {
    data.set(descriptor, at);
    at += descriptor.length;
  }
  return data;
}

const builders = new Map<number, (reservations: Reservations) => Uint8Array>([
  [serviceAction.readKeys, readKeys],
  [serviceAction.readReservation, readReservation],
  [serviceAction.reportCapabilities, reportCapabilities],
  [serviceAction.readFullStatus, readFullStatus],
]);

/** PERSISTENT RESERVE IN (SPC-4 6.15). */
export function persistentReserveIn(unit: Unit, command: ScsiCommand, definition: CommandDefinition): Result {
  const { reservations } = unit;
  reservations.checkNotReserved();
  const data = builders.get(definition.serviceAction!)!(reservations);
  return fillDataIn(command, data, readUint16(command.cdb, 7));
}
