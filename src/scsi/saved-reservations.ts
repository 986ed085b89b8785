import {
  isAllRegistrants,
  isReservationType,
  NO_KEY,
  noReservations,
  type PersistentReservation,
  type Registration,
  type ReservationState,
} from './reservation-state.js';
import { MAX_REGISTRATIONS } from './persistent-reservations.js';
import { identityOf, LONGEST_TRANSPORT_ID, nexusId } from './transport-id.js';

/** Registrations and reservation as they outlive a loss of power (SPC-4 5.13.5): plain values, fit for JSON. */
export interface SavedReservations {
  readonly version: 1;
  readonly registrations: readonly {
    /** TransportID in hexadecimal. */
    readonly transportId: string;
    /** RELATIVE TARGET PORT IDENTIFIER, or `all`. */
    readonly port: number | 'all';
    /** 16 hexadecimal digits. */
    readonly key: string;
  }[];
  readonly reservation?: {
    /** One of `reservationType`. */
    readonly type: number;
    /** Index of the registration that holds it; absent where all registrants do. */
    readonly holder?: number;
  };
}

/** Where reservations are kept through a loss of power (APTPL). */
export interface ReservationStore {
  /** What was saved last; undefined where nothing was. Asked once, when the logical unit is made. */
  load(): SavedReservations | undefined;
  /** The command that changed the state is answered when this is done. */
  save(state: SavedReservations): void | Promise<void>;
}

/** Nothing that needs to be kept. */
export const nothingSaved: SavedReservations = { version: 1, registrations: [] };

/** What is to be saved of a state. Initiators without a TransportID could not be recognised, and are left out. */
export function toSaved({ registrations, reservation, persistent }: ReservationState): SavedReservations {
  if (!persistent) return nothingSaved;
  const lasting = [...registrations.values()].filter((registration) => registration.lasting);
  const holder = lasting.findIndex(({ id }) => id === reservation?.holder);
  const kept = reservation && (isAllRegistrants(reservation.type) ? lasting.length > 0 : holder >= 0);
  return {
    version: 1,
    registrations: lasting.map(({ transportId, port, key }) => ({
      transportId: Array.from(transportId, (byte) => byte.toString(16).padStart(2, '0')).join(''),
      port,
      key,
    })),
    ...(kept && { reservation: { type: reservation.type, ...(holder >= 0 && { holder }) } }),
  };
}

function check(condition: boolean, message: string): asserts condition {
  if (!condition) throw new TypeError(`the saved reservations are damaged: ${message}`);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function toRegistration(value: unknown, index: number): Registration {
  const at = `registration ${index}`;
  check(isRecord(value), `${at} is no object`);
  const { transportId, port, key } = value;
  check(typeof key === 'string' && /^[0-9a-f]{16}$/.test(key) && key !== NO_KEY, `${at} has no key`);
  check(
    typeof transportId === 'string' &&
      /^([0-9a-f]{2}){4,}$/.test(transportId) &&
      transportId.length <= 2 * LONGEST_TRANSPORT_ID,
    `${at} has no TransportID`,
  );
  const isPort = typeof port === 'number' && Number.isInteger(port) && port >= 0 && port <= 0xffff;
  check(port === 'all' || isPort, `${at} has no target port`);
  const bytes = Uint8Array.from(transportId.match(/../g)!, (pair) => parseInt(pair, 16));
  const { initiator } = identityOf(bytes, 0);
  return { id: nexusId(initiator, port), initiator, transportId: bytes, lasting: true, port, key };
}

function toReservation(value: unknown, registrations: readonly Registration[]): PersistentReservation {
  check(isRecord(value), 'the reservation is no object');
  const { type, holder } = value;
  check(typeof type === 'number' && isReservationType(type), 'no such reservation type');
  if (isAllRegistrants(type)) {
    check(holder === undefined && registrations.length > 0, 'all registrants hold the reservation');
    return { type };
  }
  check(typeof holder === 'number' && registrations[holder] !== undefined, 'nobody holds the reservation');
  return { type, holder: registrations[holder].id };
}

/**
 * The state a logical unit starts with.
 * @param saved as a store gave it: anything
 * @throws TypeError that says what is wrong with it
 */
export function fromSaved(saved: unknown): ReservationState {
  if (saved === undefined) return noReservations;
  check(isRecord(saved), 'they are no object');
  check(saved.version === 1, 'they are of another version');
  const { registrations: values, reservation } = saved;
  check(Array.isArray(values), 'there is no list of registrations');
  check(values.length <= MAX_REGISTRATIONS, `there are ${values.length} registrations`);
  const list = values.map(toRegistration);
  const registrations = new Map(list.map((registration) => [registration.id, registration]));
  check(registrations.size === list.length, 'an initiator is registered twice');
  return {
    ...noReservations,
    registrations,
    reservation: reservation === undefined ? undefined : toReservation(reservation, list),
    persistent: list.length > 0,
  };
}
