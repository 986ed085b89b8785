// HOT PATH: drain() runs at every wake-up; it allocates nothing.
import { native } from '../native/addon.js';
import { threadClock } from './clock.js';

/** What a group asks of a ring. */
export interface GroupedRing {
  /**
   * Fetch what is on the ring, though not without end, and publish what is answered of it. Looks at the head in shared
   * memory first: where there is nothing new, this costs a load.
   * @returns entries fetched
   */
  drainBatch(): number;
}

/** How long one turn may take batch after batch before other work of the event loop gets its turn, in milliseconds. */
const TURN = 1;

/**
 * Entries after which the clock is read: one reading costs a tenth of a command, and where the kernel has no vDSO it is
 * a system call. A wake-up for a few commands reads none.
 */
const BETWEEN_READINGS = 16;

/**
 * Rings that are drained in one thread. When one of them is woken, all are looked at, round robin, until none has
 * anything: a command that comes meanwhile, on whichever ring, does not wait for a wake-up of its own.
 */
export class RingGroup {
  readonly #rings: GroupedRing[] = [];
  readonly #clock = threadClock();
  /** The index of the ring to look at next. It outlives a turn: none is always the last. */
  #next = 0;
  #draining = false;
  /** The clock at which this turn of the event loop has had enough; NaN until somebody asks. */
  #turnEnd = Number.NaN;
  #scheduled = false;
  readonly #requestTurn: () => void;

  /** @param openTurn gives a function that has its argument called in a later turn of the event loop */
  constructor(openTurn = immediately) {
    this.#requestTurn = openTurn(() => {
      // Not where the last ring has gone meanwhile.
      if (!this.#scheduled) return;
      this.#scheduled = false;
      this.drain();
    });
  }

  /** Rings that are drained; those that are paused are among them. */
  get size(): number {
    return this.#rings.length;
  }

  /** It is looked at from the next drain() on, or from this one on where one is under way. */
  add(ring: GroupedRing): void {
    if (!this.#rings.includes(ring)) this.#rings.push(ring);
  }

  /** Also while it, or another, is drained. */
  remove(ring: GroupedRing): void {
    const index = this.#rings.indexOf(ring);
    if (index < 0) return;
    this.#rings.splice(index, 1);
    // So that none is passed over.
    if (index < this.#next) this.#next--;
    if (this.#rings.length === 0) this.#scheduled = false;
  }

  /** Whether this turn of the event loop, in which the group has been drained, may take more. */
  get hasTime(): boolean {
    this.#clock.read();
    const now = this.#clock.time[0];
    if (Number.isNaN(this.#turnEnd)) this.#turnEnd = now + TURN;
    return now < this.#turnEnd;
  }

  /** In a new turn of the event loop, until no ring has anything. What a turn has no time for follows in the next. */
  drain(): void {
    // From a command that is being handed over: the loop below is on its way.
    if (this.#draining) return;
    this.#draining = true;
    this.#turnEnd = Number.NaN;
    let finished = false;
    try {
      finished = this.#drainInTurn();
    } finally {
      this.#draining = false;
      // Also where a ring's owner threw: the others' wake-ups may have come already.
      if (!finished) this.#schedule();
    }
  }

  /** @returns false where there was no time for everything */
  #drainInTurn(): boolean {
    const rings = this.#rings;
    /** Rings in a row that had nothing. */
    let empty = 0;
    let entries = 0;
    while (empty < rings.length) {
      if (this.#next >= rings.length) this.#next = 0;
      const fetched = rings[this.#next++].drainBatch();
      if (fetched === 0) {
        empty++;
        continue;
      }
      empty = 0;
      entries += fetched;
      if (entries < BETWEEN_READINGS) continue;
      entries = 0;
      if (!this.hasTime) return false;
    }
    return true;
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#requestTurn();
  }

  /** One ring, in a turn of the event loop that has drained before. */
  drainMore(ring: GroupedRing): void {
    while (ring.drainBatch() > 0) {
      if (this.hasTime) continue;
      this.#schedule();
      return;
    }
  }
}

function immediately(callback: () => void): () => void {
  return () => void setImmediate(callback);
}

/** An Immediate is some 150 bytes of garbage. */
function openTurn(callback: () => void): () => void {
  try {
    return native().openTurn(callback);
  } catch {
    // No addon on this system.
    return immediately(callback);
  }
}

let group: RingGroup | undefined;

/** This thread's. */
export function threadRings(): RingGroup {
  return (group ??= new RingGroup(openTurn));
}
