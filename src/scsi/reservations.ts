// HOT PATH: `active` is looked at for every command, `check` for every command while something is reserved.
import type { CommandDefinition } from './command-definition.js';
import type { Nexus } from './command.js';
import { isPromise } from './data-transfer.js';
import { opcode } from './opcode.js';
import { reservationConflict, type Outcome } from './persistent-reservations.js';
import {
  excludesReads,
  holds,
  noReservations,
  registrationOf,
  sharedByRegistrants,
  type ReservationState,
} from './reservation-state.js';
import { fromSaved, nothingSaved, toSaved, type ReservationStore } from './saved-reservations.js';
import { additionalSense, senseKey, SenseError } from './sense.js';
import { identify, type NexusIdentity } from './transport-id.js';
import type { UnitAttentions } from './unit-attention.js';

/** What an I_T nexus may do in the presence of a reservation. */
const access = { nothing: 0, reads: 1, everything: 2 } as const;
type Access = (typeof access)[keyof typeof access];

export interface ReservationOptions {
  readonly attentions: UnitAttentions;
  /** Default: reservations end with the process (PTPL_C 0). */
  readonly store?: ReservationStore;
  readonly log: (message: string) => void;
}

/**
 * The reservations of a logical unit (SPC-4 5.13): persistent ones, and that of SPC-2's RESERVE. The two exclude
 * each other, but for the exceptions that CRH stands for (SPC-4 5.13.3).
 */
export class Reservations {
  /** Whether anything is reserved: while it is not, no command needs to be checked. */
  active = false;
  readonly #attentions: UnitAttentions;
  readonly #store?: ReservationStore;
  #state: ReservationState;
  /** Who holds SPC-2's RESERVE. */
  #reservedBy?: Nexus;
  #access = new WeakMap<Nexus, Access>();
  /** The change that is being saved; others wait for it. */
  #saving?: Promise<unknown>;

  constructor({ attentions, store, log }: ReservationOptions) {
    this.#attentions = attentions;
    this.#store = store;
    this.#state = noReservations;
    try {
      this.#state = fromSaved(store?.load());
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      log(`persistent reservations were not restored: ${reason}`);
    }
    this.active = this.#state.reservation !== undefined;
  }

  /** Registrations and the persistent reservation, as they are now. */
  get state(): ReservationState {
    return this.#state;
  }

  /** Whether the state can outlive a loss of power (PTPL_C). */
  get canPersist(): boolean {
    return this.#store !== undefined;
  }

  /**
   * @param cdb for commands on which a reservation depends by their fields
   * @throws StatusError where the reservation excludes the command (SPC-4 table 65, SBC-3 table 13)
   */
  check(definition: CommandDefinition, cdb: Uint8Array, nexus: Nexus): void {
    const { reservation } = definition;
    const kind = typeof reservation === 'function' ? reservation(cdb) : reservation;
    if (kind === 'own') return;
    if (this.#reservedBy !== undefined) {
      // SPC-2 lets through what SPC-4 lets through everywhere, but for TEST UNIT READY (SPC-2 table 10).
      const allowed = kind === 'always' && definition.opcode !== opcode.testUnitReady;
      if (allowed || this.#reservedBy === nexus) return;
      throw reservationConflict('the unit is reserved by RESERVE');
    }
    if (kind === 'always') return;
    const granted = this.#access.get(nexus) ?? this.#grant(nexus);
    if (granted === access.everything || (granted === access.reads && kind === 'read')) return;
    throw reservationConflict('the unit is reserved by a persistent reservation');
  }

  #grant(nexus: Nexus): Access {
    const { reservation } = this.#state;
    let granted: Access = access.everything;
    if (reservation) {
      const own = registrationOf(this.#state, identify(nexus));
      const { type } = reservation;
      const has = own !== undefined && (sharedByRegistrants(type) || holds(this.#state, own));
      if (!has) granted = excludesReads(type) ? access.nothing : access.reads;
    }
    this.#access.set(nexus, granted);
    return granted;
  }

  /** Persistent reservations and RESERVE exclude each other (SPC-2 5.5.1). */
  checkNotReserved(): void {
    if (this.#reservedBy !== undefined) throw reservationConflict('the unit is reserved by RESERVE');
  }

  /**
   * Change registrations and reservation, one change at a time. Where the state is to outlive a loss of power, it
   * is saved before it counts.
   * @param next computes the new state from the present one; what it throws is thrown
   * @returns what `next` returned, when the new state counts
   */
  change(
    nexus: Nexus,
    next: (state: ReservationState, sender: NexusIdentity) => Outcome,
  ): Outcome | Promise<Outcome> {
    if (!this.#saving) return this.#change(nexus, next);
    return this.#saving.then(() => this.change(nexus, next));
  }

  #change(
    nexus: Nexus,
    next: (state: ReservationState, sender: NexusIdentity) => Outcome,
  ): Outcome | Promise<Outcome> {
    this.checkNotReserved();
    const outcome = next(this.#state, identify(nexus));
    if (outcome.state === this.#state) return outcome;
    const saved = this.#save(outcome.state);
    if (!isPromise(saved)) {
      this.#commit(outcome);
      return outcome;
    }
    const done = saved
      .then(() => {
        this.#commit(outcome);
        return outcome;
      })
      .finally(() => (this.#saving = undefined));
    this.#saving = done.catch(() => undefined);
    return done;
  }

  #save(state: ReservationState): void | Promise<void> {
    if (!this.#store || !(state.persistent || this.#state.persistent)) return;
    const failed = (cause: unknown): never => {
      throw new SenseError(
        senseKey.hardwareError,
        additionalSense.internalTargetFailure,
        'the reservations could not be saved',
        { cause },
      );
    };
    try {
      const saved = this.#store.save(state.persistent ? toSaved(state) : nothingSaved);
      if (isPromise(saved)) return Promise.resolve(saved).catch(failed);
    } catch (error) {
      failed(error);
    }
  }

  #commit({ state, attentions }: Outcome): void {
    this.#state = state;
    this.#update();
    for (const { code, registrations } of attentions) {
      for (const id of registrations) this.#attentions.establishAt(id, code);
    }
  }

  #update(): void {
    this.#access = new WeakMap();
    this.active = this.#reservedBy !== undefined || this.#state.reservation !== undefined;
  }

  /** Whether RESERVE and RELEASE change nothing and end GOOD: what CRH promises (SPC-4 5.13.3). */
  #isExempt(nexus: Nexus): boolean {
    const { registrations, reservation } = this.#state;
    if (registrations.size === 0) return false;
    const own = registrationOf(this.#state, identify(nexus));
    if (own && reservation && (sharedByRegistrants(reservation.type) || holds(this.#state, own))) return true;
    throw reservationConflict('there are persistent reservations');
  }

  /** RESERVE(6), (10) (SPC-2 7.21, 7.22). @throws StatusError where another nexus has reserved the unit */
  reserveUnit(nexus: Nexus): void | Promise<void> {
    if (this.#saving) return this.#saving.then(() => this.reserveUnit(nexus));
    if (this.#isExempt(nexus)) return;
    if (this.#reservedBy !== undefined && this.#reservedBy !== nexus) this.checkNotReserved();
    this.#reservedBy = nexus;
    this.#update();
  }

  /** RELEASE(6), (10) (SPC-2 7.17, 7.18): nothing where another nexus has reserved the unit. */
  releaseUnit(nexus: Nexus): void | Promise<void> {
    if (this.#saving) return this.#saving.then(() => this.releaseUnit(nexus));
    if (this.#isExempt(nexus)) return;
    this.nexusLost(nexus);
  }

  /** The reservation that RESERVE made ends with its I_T nexus; persistent ones stay. */
  nexusLost(nexus: Nexus): void {
    if (this.#reservedBy !== nexus) return;
    this.#reservedBy = undefined;
    this.#update();
  }

  /** The reservation that RESERVE made ends with a logical unit reset; persistent ones stay. */
  reset(): void {
    this.#reservedBy = undefined;
    this.#update();
  }
}
