import type { TracedCommand, TraceNotification } from '../daemon/control/schema.js';

/** Commands kept for a reader that does not keep up. */
const MAX_WAITING = 16_384;

/** The commands a device answers, as they come. For one reader. */
export class Trace implements AsyncIterableIterator<TracedCommand> {
  readonly #stop: () => Promise<void>;
  /** Commands nobody has taken yet: those of `#waiting` from `#next` on. */
  #waiting: TracedCommand[] = [];
  #next = 0;
  #dropped = 0;
  #ended = false;
  #error: Error | undefined;
  #wake: (() => void) | undefined;

  /** @param stop tells the daemon */
  constructor(stop: () => Promise<void>) {
    this.#stop = stop;
  }

  /** Commands that are missing so far, because they came faster than they could be sent or read. */
  get dropped(): number {
    return this.#dropped;
  }

  /** A batch came. */
  push({ commands, dropped, ended }: TraceNotification): void {
    this.#dropped += dropped;
    const room = MAX_WAITING - (this.#waiting.length - this.#next);
    this.#dropped += Math.max(0, commands.length - room);
    this.#waiting = this.#waiting.slice(this.#next).concat(commands.slice(0, room));
    this.#next = 0;
    if (ended) this.#ended = true;
    this.#wake?.();
  }

  /** No more come. What came is still read. */
  fail(error: Error): void {
    this.#ended = true;
    this.#error = error;
    this.#wake?.();
  }

  async next(): Promise<IteratorResult<TracedCommand, undefined>> {
    while (this.#next === this.#waiting.length) {
      if (this.#error) throw this.#error;
      if (this.#ended) return { done: true, value: undefined };
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
    return { done: false, value: this.#waiting[this.#next++] };
  }

  /** Hear no more. */
  async return(): Promise<IteratorResult<TracedCommand, undefined>> {
    this.#ended = true;
    this.#error = undefined;
    this.#waiting = [];
    this.#next = 0;
    this.#wake?.();
    await this.#stop();
    return { done: true, value: undefined };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}
