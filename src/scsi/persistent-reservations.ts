/*
 * What each service action of PERSISTENT RESERVE OUT makes of the registrations and the reservation
 * (SPC-4 5.13): functions from one state to the next, so that a state can be saved before it becomes true.
 */
import { invalidFieldInCdb, invalidFieldInParameterList } from './invalid-field.js';
import {
  holds,
  isAllRegistrants,
  isReservationType,
  NO_KEY,
  registrationOf,
  sharedByRegistrants,
  type Registration,
  type ReservationKey,
  type ReservationState,
} from './reservation-state.js';
import { additionalSense, senseKey, SenseError, StatusError } from './sense.js';
import { scsiStatus } from './status.js';
import { nexusId, type NexusIdentity } from './transport-id.js';

/** More initiators than any cluster has, and little enough memory. */
export const MAX_REGISTRATIONS = 1024;

/** The fields of a PERSISTENT RESERVE OUT that most service actions look at. */
export interface ReservationRequest {
  /** RESERVATION KEY: what the sender registered before. */
  readonly key: ReservationKey;
  /** SERVICE ACTION RESERVATION KEY */
  readonly serviceActionKey: ReservationKey;
  readonly type: number;
  /** ALL_TG_PT */
  readonly allPorts: boolean;
  /** APTPL */
  readonly persistent: boolean;
}

/** REGISTER AND MOVE has a parameter list of its own. */
export interface MoveRequest extends Pick<ReservationRequest, 'key' | 'serviceActionKey' | 'persistent'> {
  /** UNREG: the sender's registration ends. */
  readonly unregister: boolean;
  readonly destination: NexusIdentity;
}

/** A unit attention condition that registrants get. */
export interface ReservationAttention {
  /** `asc << 8 | ascq` */
  readonly code: number;
  /** Ids of registrations. */
  readonly registrations: readonly string[];
}

export interface Outcome {
  readonly state: ReservationState;
  readonly attentions: readonly ReservationAttention[];
  /** Ids of the registrations that were preempted. */
  readonly preempted?: readonly string[];
}

export function reservationConflict(message: string): StatusError {
  return new StatusError(scsiStatus.reservationConflict, message);
}

/** The sender's registration. @throws StatusError where it has none, or another key */
function authorise(state: ReservationState, sender: NexusIdentity, key: ReservationKey): Registration {
  const own = registrationOf(state, sender);
  if (!own) throw reservationConflict('the initiator is not registered');
  if (own.key !== key) throw reservationConflict('the reservation key is not the registered one');
  return own;
}

function checkType(type: number): void {
  if (!isReservationType(type)) throw invalidFieldInCdb(2, `no reservation type ${type.toString(16)}h`, 3);
}

function nextGeneration({ generation }: ReservationState): number {
  return (generation + 1) % 0x1_0000_0000;
}

/** `code` for all of `registrations` but the sender's. */
function tell(code: number, registrations: Iterable<Registration>, sender?: string): ReservationAttention[] {
  const ids = Array.from(registrations, ({ id }) => id).filter((id) => id !== sender);
  return ids.length === 0 ? [] : [{ code, registrations: ids }];
}

/** Take out registrations; a reservation whose holders are gone is released with them (SPC-4 5.13.11.1). */
function without(state: ReservationState, removed: readonly Registration[]): Outcome {
  const registrations = new Map(state.registrations);
  for (const { id } of removed) registrations.delete(id);
  const { reservation } = state;
  const stays =
    reservation &&
    (reservation.holder === undefined ? registrations.size > 0 : registrations.has(reservation.holder));
  const attentions =
    reservation && !stays && sharedByRegistrants(reservation.type)
      ? tell(additionalSense.reservationsReleased, registrations.values())
      : [];
  return {
    state: { ...state, registrations, reservation: stays ? reservation : undefined },
    attentions,
  };
}

/** Add or replace a registration; one for all ports replaces those of single ports. */
function withRegistration(state: ReservationState, registration: Registration): ReservationState {
  const registrations = new Map(state.registrations);
  const replaced =
    registration.port === 'all'
      ? [...registrations.values()].filter(
          ({ initiator, port }) => initiator === registration.initiator && port !== 'all',
        )
      : [];
  for (const { id } of replaced) registrations.delete(id);
  registrations.set(registration.id, registration);
  if (registrations.size > MAX_REGISTRATIONS) {
    throw new SenseError(
      senseKey.illegalRequest,
      additionalSense.insufficientRegistrationResources,
      `there are ${MAX_REGISTRATIONS} registrations already`,
    );
  }
  const { reservation } = state;
  const moved = reservation && replaced.some(({ id }) => id === reservation.holder);
  return {
    ...state,
    registrations,
    reservation: moved ? { ...reservation, holder: registration.id } : reservation,
  };
}

function registrationFor(
  { initiator, transportId, lasting, port }: NexusIdentity,
  key: ReservationKey,
  allPorts: boolean,
): Registration {
  const portOrAll = allPorts ? 'all' : port;
  return { id: nexusId(initiator, portOrAll), initiator, transportId, lasting, port: portOrAll, key };
}

/** REGISTER, and REGISTER AND IGNORE EXISTING KEY (SPC-4 5.13.7). A key of zero unregisters. */
export function register(
  state: ReservationState,
  sender: NexusIdentity,
  request: ReservationRequest,
  ignoreExistingKey: boolean,
): Outcome {
  const own = registrationOf(state, sender);
  if (!ignoreExistingKey && request.key !== (own?.key ?? NO_KEY)) {
    throw reservationConflict('the reservation key is not the registered one');
  }
  const { serviceActionKey, persistent } = request;
  if (serviceActionKey === NO_KEY && !own) return { state, attentions: [] };
  const next = { ...state, generation: nextGeneration(state), persistent };
  if (serviceActionKey === NO_KEY) return without(next, [own!]);
  const allPorts = request.allPorts || own?.port === 'all';
  return {
    state: withRegistration(next, registrationFor(sender, serviceActionKey, allPorts)),
    attentions: [],
  };
}

/** RESERVE (SPC-4 5.13.9). */
export function reserve(
  state: ReservationState,
  sender: NexusIdentity,
  { key, type }: ReservationRequest,
): Outcome {
  checkType(type);
  const own = authorise(state, sender, key);
  const { reservation } = state;
  if (!reservation) {
    const holder = isAllRegistrants(type) ? undefined : own.id;
    return { state: { ...state, reservation: { type, holder } }, attentions: [] };
  }
  if (!holds(state, own) || reservation.type !== type) {
    throw reservationConflict('there is another persistent reservation');
  }
  return { state, attentions: [] };
}

/** RELEASE (SPC-4 5.13.11.2). What one does not hold need not be released. */
export function release(
  state: ReservationState,
  sender: NexusIdentity,
  { key, type }: ReservationRequest,
): Outcome {
  const own = authorise(state, sender, key);
  const { reservation, registrations } = state;
  if (!reservation || !holds(state, own)) return { state, attentions: [] };
  if (reservation.type !== type) {
    throw new SenseError(
      senseKey.illegalRequest,
      additionalSense.invalidReleaseOfPersistentReservation,
      'the reservation is of another type',
    );
  }
  return {
    state: { ...state, reservation: undefined },
    attentions: sharedByRegistrants(type)
      ? tell(additionalSense.reservationsReleased, registrations.values(), own.id)
      : [],
  };
}

/** CLEAR (SPC-4 5.13.11.6): nothing remains. */
export function clear(state: ReservationState, sender: NexusIdentity, { key }: ReservationRequest): Outcome {
  const own = authorise(state, sender, key);
  return {
    state: {
      generation: nextGeneration(state),
      registrations: new Map(),
      persistent: state.persistent,
    },
    attentions: tell(additionalSense.reservationsPreempted, state.registrations.values(), own.id),
  };
}

/** The registrations a PREEMPT means, and whether the reservation is theirs (SPC-4 5.13.11.4.1). */
function findPreempted(
  { registrations, reservation }: ReservationState,
  key: ReservationKey,
): { registrations: Registration[]; reserved: boolean } {
  const all = reservation !== undefined && isAllRegistrants(reservation.type);
  if (key === NO_KEY) {
    if (!all) throw invalidFieldInParameterList(8, 'a key of zero preempts all registrants only');
    return { registrations: [...registrations.values()], reserved: true };
  }
  const named = [...registrations.values()].filter((registration) => registration.key === key);
  if (named.length === 0) throw reservationConflict('nobody has registered the key to be preempted');
  return { registrations: named, reserved: named.some(({ id }) => id === reservation?.holder) };
}

/** PREEMPT, and what PREEMPT AND ABORT changes (SPC-4 5.13.11.4, 5.13.11.5). */
export function preempt(
  state: ReservationState,
  sender: NexusIdentity,
  { key, serviceActionKey, type }: ReservationRequest,
): Outcome {
  const own = authorise(state, sender, key);
  const { registrations: named, reserved } = findPreempted(state, serviceActionKey);
  const next = { ...state, generation: nextGeneration(state) };
  const { registrationsPreempted, reservationsReleased } = additionalSense;
  if (!reserved) {
    // The sender's own registration goes too where it has that key.
    const { state: left, attentions } = without(next, named);
    return {
      state: left,
      attentions: [...tell(registrationsPreempted, named, own.id), ...attentions],
      preempted: named.map(({ id }) => id),
    };
  }
  checkType(type);
  const removed = named.filter(({ id }) => id !== own.id);
  const registrations = new Map(state.registrations);
  for (const { id } of removed) registrations.delete(id);
  const changed = state.reservation!.type !== type;
  return {
    state: {
      ...next,
      registrations,
      reservation: { type, holder: isAllRegistrants(type) ? undefined : own.id },
    },
    attentions: [
      ...tell(registrationsPreempted, removed),
      ...(changed ? tell(reservationsReleased, registrations.values(), own.id) : []),
    ],
    preempted: removed.map(({ id }) => id),
  };
}

/** REGISTER AND MOVE (SPC-4 5.13.8): the reservation goes to another I_T nexus. */
export function registerAndMove(
  state: ReservationState,
  sender: NexusIdentity,
  { key, serviceActionKey, persistent, unregister, destination }: MoveRequest,
): Outcome {
  const own = authorise(state, sender, key);
  const { reservation } = state;
  if (!reservation || reservation.holder !== own.id) {
    throw reservationConflict('the sender holds no reservation of its own');
  }
  if (serviceActionKey === NO_KEY) throw invalidFieldInParameterList(8, 'the key to register is zero');
  const present = registrationOf(state, destination);
  if (destination.id === sender.id || present?.id === own.id) {
    throw invalidFieldInParameterList(24, 'the reservation would be moved to its holder');
  }
  const moved = registrationFor(destination, serviceActionKey, present?.port === 'all');
  const next = withRegistration({ ...state, generation: nextGeneration(state), persistent }, moved);
  const registrations = new Map(next.registrations);
  if (unregister) registrations.delete(own.id);
  return {
    state: { ...next, registrations, reservation: { ...reservation, holder: moved.id } },
    attentions: [],
  };
}
