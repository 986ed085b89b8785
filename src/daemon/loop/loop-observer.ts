import { loopWord } from '../../device/loop-marks.js';

/** An event loop that has not turned for long, or turns again. */
export interface Stall {
  /** For how long it has been seen not to turn. */
  readonly milliseconds: number;
  /** Which command of which device it was in, or after. */
  readonly where: string;
  readonly isOver: boolean;
}

export interface LoopObserverOptions {
  /** Of the LoopMarks of the observed loop. */
  readonly memory: SharedArrayBuffer;
  /** Milliseconds that the loop may be kept from turning. */
  readonly threshold: number;
  /** Names of commands by operation code. */
  readonly commandNames: readonly string[];
  /** The name of a device by its number. */
  readonly deviceName: (index: number) => string | undefined;
}

/** Milliseconds from one look at a loop to the next: each wakes a thread, and a command that comes then waits. */
export function lookInterval(threshold: number): number {
  return Math.max(10, threshold / 4);
}

/** Sees from another thread when an event loop does not turn; whoever owns it has it look again and again. */
export class LoopObserver {
  readonly #options: LoopObserverOptions;
  readonly #words: Int32Array;
  readonly #longest: number;
  #looked: number;
  #beat = 0;
  #blocked = 0;
  /** What was reported of the stall that lasts. */
  #where: string | undefined;

  /** @param now milliseconds, of the clock that look() is given */
  constructor(options: LoopObserverOptions, now: number) {
    this.#options = options;
    this.#words = new Int32Array(options.memory);
    this.#longest = 2 * lookInterval(options.threshold);
    this.#looked = now;
  }

  /** @returns something once when a stall has lasted for the threshold, and once when it is over */
  look(now: number): Stall | undefined {
    // Where the observer itself was kept from looking, the machine is too busy, and that says nothing of the loop.
    const passed = Math.min(now - this.#looked, this.#longest);
    this.#looked = now;
    const beat = Atomics.load(this.#words, loopWord.beat);
    if (beat !== this.#beat) {
      const milliseconds = this.#blocked + passed;
      const where = this.#where;
      this.#beat = beat;
      this.#blocked = 0;
      this.#where = undefined;
      return where === undefined ? undefined : { milliseconds, where, isOver: true };
    }
    // It has not begun.
    if (beat === 0) return undefined;
    this.#blocked += passed;
    if (this.#where !== undefined || this.#blocked < this.#options.threshold) return undefined;
    this.#where = this.#describe();
    return { milliseconds: this.#blocked, where: this.#where, isOver: false };
  }

  #describe(): string {
    const { commandNames, deviceName } = this.#options;
    const device = deviceName(Atomics.load(this.#words, loopWord.device));
    if (device === undefined) return 'no command was begun yet';
    const opcode = Atomics.load(this.#words, loopWord.opcode);
    const name = commandNames[opcode] ?? `operation code ${opcode.toString(16).padStart(2, '0')}h`;
    return Atomics.load(this.#words, loopWord.active) === 1
      ? `in ${name} of ${device}`
      : `after ${name} of ${device}, the last command that was begun`;
  }
}

/** @param stack lines of the functions that the loop was in, innermost first; may be empty */
export function describeStall({ milliseconds, where, isOver }: Stall, stack: readonly string[] = []): string {
  const length = `${Math.round(milliseconds)} ms`;
  return isOver
    ? `the event loop turns again after ${length}: it was blocked ${where}`
    : [`the event loop has not turned for ${length}: ${where}`, ...stack].join('\n');
}
