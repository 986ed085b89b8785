/** A range of the medium in bytes, and what ends when it is free again. */
interface Held {
  readonly start: number;
  readonly end: number;
  readonly exclusive: boolean;
  readonly released: Promise<void>;
}

/**
 * Keeps a command of several writes (an emulated WRITE SAME) apart from every other write to the same range.
 * Writes that end in the same turn need no entry: `idle` tells that they may go ahead.
 */
export class RangeLock {
  readonly #held = new Set<Held>();

  /** Nothing is held: a synchronous write may run without asking. */
  get idle(): boolean {
    return this.#held.size === 0;
  }

  /**
   * Run `job` while no conflicting range is held: an exclusive range conflicts with each that it overlaps, a
   * shared one only with exclusive ones. Whoever came first runs first.
   * @param start first byte @param end byte after the last
   */
  async run(start: number, end: number, exclusive: boolean, job: () => void | Promise<void>): Promise<void> {
    const conflicts = [...this.#held].filter(
      (held) => (exclusive || held.exclusive) && held.start < end && start < held.end,
    );
    let release!: () => void;
    const held: Held = { start, end, exclusive, released: new Promise((resolve) => (release = resolve)) };
    this.#held.add(held);
    try {
      for (const conflict of conflicts) await conflict.released;
      await job();
    } finally {
      this.#held.delete(held);
      release();
    }
  }
}
