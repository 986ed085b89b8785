// HOT PATH: enter() and leave() run for every command; they store a few numbers.

/** Words of the memory that is shared with whoever observes the event loop. */
export const loopWord = {
  /** Grows with each turn that the event loop is seen to take; 0 until it has taken one. */
  beat: 0,
  /** 1 while a command's verb is being called. */
  active: 1,
  /** The number of the device whose command was begun last, and its operation code; -1 before the first. */
  device: 2,
  opcode: 3,
  count: 4,
} as const;

/** Memory for the marks of one event loop. */
export function loopMemory(): SharedArrayBuffer {
  return new SharedArrayBuffer(loopWord.count * 4);
}

export interface LoopMarksOptions {
  /** Of loopMemory(). Default: new. */
  readonly memory?: SharedArrayBuffer;
  /** Milliseconds that the loop may be kept from turning before an observer is to report it. */
  readonly threshold: number;
  /** Told each device's number. */
  readonly onRegister?: (index: number, name: string) => void;
}

/** What this thread's event loop leaves for an observer in another thread: that it turns, and what it does. */
export class LoopMarks {
  readonly memory: SharedArrayBuffer;
  readonly #words: Int32Array;
  readonly #onRegister: LoopMarksOptions['onRegister'];
  readonly #interval: number;
  #timer: NodeJS.Timeout | undefined;
  #devices = 0;

  constructor({ memory = loopMemory(), threshold, onRegister }: LoopMarksOptions) {
    this.memory = memory;
    this.#words = new Int32Array(memory);
    this.#words[loopWord.device] = -1;
    this.#onRegister = onRegister;
    // A little more often than it is looked for; each time is a wake-up.
    this.#interval = Math.max(8, threshold / 5);
  }

  /** Show from now on that the loop turns. Idempotent. */
  start(): void {
    this.#timer ??= setInterval(() => Atomics.add(this.#words, loopWord.beat, 1), this.#interval).unref();
  }

  /** @returns the device's number, for enter() */
  register(name: string): number {
    const index = this.#devices++;
    this.#onRegister?.(index, name);
    return index;
  }

  /** A command's verb is about to be called. */
  enter(device: number, opcode: number): void {
    this.#words[loopWord.device] = device;
    this.#words[loopWord.opcode] = opcode;
    this.#words[loopWord.active] = 1;
  }

  /** The verb has returned, or goes on asynchronously. */
  leave(): void {
    this.#words[loopWord.active] = 0;
  }

  close(): void {
    clearInterval(this.#timer);
  }
}
