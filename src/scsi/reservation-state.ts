import type { NexusIdentity } from './transport-id.js';

/** Persistent reservation types (SPC-4 table 72). */
export const reservationType = {
  writeExclusive: 0x1,
  exclusiveAccess: 0x3,
  writeExclusiveRegistrantsOnly: 0x5,
  exclusiveAccessRegistrantsOnly: 0x6,
  writeExclusiveAllRegistrants: 0x7,
  exclusiveAccessAllRegistrants: 0x8,
} as const;

/** A reservation key as 16 hexadecimal digits: 64 bits do not fit a number. */
export type ReservationKey = string;

export const NO_KEY: ReservationKey = '0000000000000000';

/** An I_T nexus that has registered a reservation key (SPC-4 5.13.7). */
export interface Registration {
  readonly id: string;
  readonly initiator: string;
  readonly transportId: Uint8Array;
  /** Whether the initiator can be recognised by its TransportID later. */
  readonly lasting: boolean;
  /** RELATIVE TARGET PORT IDENTIFIER; `all` where it was registered with ALL_TG_PT. */
  readonly port: number | 'all';
  readonly key: ReservationKey;
}

export interface PersistentReservation {
  /** One of `reservationType`. */
  readonly type: number;
  /** The id of the registration that holds it; undefined where all registrants do. */
  readonly holder?: string;
}

/** Everything PERSISTENT RESERVE OUT changes. Never altered in place: a change is a new state. */
export interface ReservationState {
  /** PRGENERATION */
  readonly generation: number;
  /** By id, in the order they came. */
  readonly registrations: ReadonlyMap<string, Registration>;
  readonly reservation?: PersistentReservation;
  /** APTPL of the last registration: the state is to outlive a loss of power. */
  readonly persistent: boolean;
}

export const noReservations: ReservationState = {
  generation: 0,
  registrations: new Map(),
  persistent: false,
};

const types: ReadonlySet<number> = new Set(Object.values(reservationType));

export function isReservationType(type: number): boolean {
  return types.has(type);
}

export function isAllRegistrants(type: number): boolean {
  return (
    type === reservationType.writeExclusiveAllRegistrants ||
    type === reservationType.exclusiveAccessAllRegistrants
  );
}

/** Every registrant has access: registrants only and all registrants types. */
export function sharedByRegistrants(type: number): boolean {
  return type >= reservationType.writeExclusiveRegistrantsOnly;
}

export function excludesReads(type: number): boolean {
  return (
    type === reservationType.exclusiveAccess ||
    type === reservationType.exclusiveAccessRegistrantsOnly ||
    type === reservationType.exclusiveAccessAllRegistrants
  );
}

export function registrationOf(
  { registrations }: ReservationState,
  { id, idOnAllPorts }: NexusIdentity,
): Registration | undefined {
  return registrations.get(id) ?? registrations.get(idOnAllPorts);
}

/** Whether a registration holds the reservation; with all registrants types each does. */
export function holds({ reservation }: ReservationState, { id }: Registration): boolean {
  return reservation !== undefined && (isAllRegistrants(reservation.type) || reservation.holder === id);
}
