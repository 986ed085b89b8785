// HOT PATH: `pending` runs for every command.
import type { Nexus } from './command.js';
import { additionalSense } from './sense.js';
import { identify } from './transport-id.js';

interface Attention {
  readonly sequence: number;
  /** `asc << 8 | ascq` */
  readonly code: number;
  /** The nexus that caused it and needs no telling. */
  readonly except?: Nexus;
  /** The nexus that alone it is about. */
  readonly only?: Nexus;
  /** Id of the registration that alone it is about: whatever object its nexus is by now. */
  readonly registration?: string;
}

/** Events kept at most; the oldest is dropped. */
const MAX_EVENTS = 1024;

/** POWER ON, RESET, OR BUS DEVICE RESET OCCURRED and its more exact forms. */
function isReset(code: number): boolean {
  return code >= additionalSense.powerOnResetOrBusDeviceReset && code <= 0x2904;
}

function isAbout({ only, registration }: Attention, nexus: Nexus): boolean {
  if (only !== undefined) return only === nexus;
  if (registration === undefined) return true;
  const { id, idOnAllPorts } = identify(nexus);
  return id === registration || idOnAllPorts === registration;
}

/**
 * Unit attention conditions of each I_T nexus (SAM-5 5.14). Events are numbered, and a nexus remembers the last
 * one it was told: so the cost does not grow with the number of initiators, and one that never comes back
 * costs nothing. An event that happens again replaces its earlier self.
 */
export class UnitAttentions {
  #latest = 0;
  #events: Attention[] = [];
  readonly #told = new WeakMap<Nexus, number>();
  #recent: Nexus | undefined;

  /** Establish a condition for every nexus but the one that caused it. */
  establish(code: number, except?: Nexus): void {
    // A reset makes what was before it meaningless (SAM-5 5.14.2: the higher precedence clears the lower).
    const cleared = (event: Attention): boolean => event.code === code || isReset(code);
    this.#events = this.#events.filter((event) => !cleared(event));
    this.#push({ sequence: this.#latest + 1, code, except });
  }

  /** Establish a condition for one nexus. */
  establishFor(nexus: Nexus, code: number): void {
    // Of a nexus that was not told of the power-on yet, that is all it will be told.
    if (!this.#told.has(nexus)) return;
    this.#events = this.#events.filter((event) => event.code !== code || event.only !== nexus);
    this.#push({ sequence: this.#latest + 1, code, only: nexus });
  }

  /**
   * Establish a condition for the nexus of a registration: also where it comes back as another object before it
   * was told.
   */
  establishAt(registration: string, code: number): void {
    this.#events = this.#events.filter((event) => event.code !== code || event.registration !== registration);
    this.#push({ sequence: this.#latest + 1, code, registration });
  }

  #push(event: Attention): void {
    this.#recent = undefined;
    this.#latest = event.sequence;
    this.#events.push(event);
    // Those for one nexus could grow with the number of initiators that came and went.
    if (this.#events.length > MAX_EVENTS) this.#events.shift();
  }

  /** Whether `nexus` has something to be told. */
  pending(nexus: Nexus): boolean {
    if (nexus === this.#recent) return false;
    const told = this.#told.get(nexus);
    if (told === undefined) return true;
    if (this.#next(nexus, told)) return true;
    // What was before is not looked through again: several initiators take turns.
    if (told !== this.#latest) this.#told.set(nexus, this.#latest);
    this.#recent = nexus;
    return false;
  }

  /**
   * Take the next condition of `nexus`, which clears it. The first is that the unit was powered on; it clears
   * every other (SAM-5 5.14.1: a reset makes earlier conditions meaningless).
   * @returns `asc << 8 | ascq`
   */
  take(nexus: Nexus): number | undefined {
    const told = this.#told.get(nexus);
    if (told === undefined) {
      this.#told.set(nexus, this.#latest);
      // Not 29/01, although nothing but a power-on is meant: libiscsi's tools try again after 29/00 only.
      return additionalSense.powerOnResetOrBusDeviceReset;
    }
    const event = this.#next(nexus, told);
    this.#told.set(nexus, event?.sequence ?? this.#latest);
    if (event?.only !== undefined || event?.registration !== undefined) {
      this.#events = this.#events.filter((kept) => kept !== event);
    }
    return event?.code;
  }

  #next(nexus: Nexus, told: number): Attention | undefined {
    if (told === this.#latest) return undefined;
    return this.#events.find(
      (event) => event.sequence > told && event.except !== nexus && isAbout(event, nexus),
    );
  }
}
