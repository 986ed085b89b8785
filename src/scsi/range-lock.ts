// HOT PATH: `free` is looked at by each write, and share() runs for each that is asynchronous.

/** A range of the medium in bytes. Used again: its `release` is bound once. */
class Held {
  start = 0;
  end = 0;
  exclusive = false;
  readonly release: () => void;
  /** Made when somebody first waits for it to be free again. */
  #released: Promise<void> | undefined;
  #wake: (() => void) | undefined;

  constructor(release: (held: Held) => void) {
    this.release = (): void => {
      const wake = this.#wake;
      this.#released = this.#wake = undefined;
      release(this);
      wake?.();
    };
  }

  whenReleased(): Promise<void> {
    return (this.#released ??= new Promise((resolve) => (this.#wake = resolve)));
  }
}

/** Keeps a command of several writes (an emulated WRITE SAME) apart from every other write to the same range. */
export class RangeLock {
  readonly #held = new Set<Held>();
  readonly #pool: Held[] = [];
  #exclusive = 0;

  /** Nothing is held. */
  get idle(): boolean {
    return this.#held.size === 0;
  }

  /** No exclusive range is held or waited for: a write may run without asking. Where it goes on, share() tells so. */
  get free(): boolean {
    return this.#exclusive === 0;
  }

  /**
   * Hold a range shared for a write that was begun while the lock was free.
   * @param start first byte @param end byte after the last
   * @returns settles as `done` does
   */
  share(start: number, end: number, done: Promise<void>): Promise<void> {
    const { release } = this.#hold(start, end, false);
    // A handler's promise may be any thenable.
    const settled = Promise.resolve(done);
    settled.then(release, release);
    return settled;
  }

  /**
   * Run `job` while no conflicting range is held: an exclusive range conflicts with each that it overlaps, a
   * shared one only with exclusive ones. Whoever came first runs first.
   * @param start first byte @param end byte after the last
   */
  async run(start: number, end: number, exclusive: boolean, job: () => void | Promise<void>): Promise<void> {
    const conflicts =
      exclusive || this.#exclusive > 0
        ? [...this.#held]
            .filter((held) => (exclusive || held.exclusive) && held.start < end && start < held.end)
            // Now: of one that is released meanwhile nothing would be heard any more.
            .map((held) => held.whenReleased())
        : [];
    const held = this.#hold(start, end, exclusive);
    try {
      for (const released of conflicts) await released;
      await job();
    } finally {
      held.release();
    }
  }

  #hold(start: number, end: number, exclusive: boolean): Held {
    const held = this.#pool.pop() ?? new Held((one) => this.#release(one));
    held.start = start;
    held.end = end;
    held.exclusive = exclusive;
    this.#held.add(held);
    if (exclusive) this.#exclusive++;
    return held;
  }

  #release(held: Held): void {
    this.#held.delete(held);
    if (held.exclusive) this.#exclusive--;
    this.#pool.push(held);
  }
}
