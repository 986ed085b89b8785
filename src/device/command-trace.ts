// HOT PATH: record() runs for every command of a device that is being traced; it allocates nothing.
import type { CommandSet } from '../scsi/command-set.js';
import type { CountedCommand } from './statistics.js';

/** A command that was answered. */
export interface TracedCommand {
  /** When it was answered: milliseconds since the epoch, with fractions. */
  readonly time: number;
  /** Hexadecimal; at most the first 32 bytes. */
  readonly cdb: string;
  /** As the standards write it: `READ(10)`; `unknown` where the unit has no such command. */
  readonly name: string;
  /** SAM-5 status code. */
  readonly status: number;
  /** Sense data in hexadecimal with CHECK CONDITION; at most the first 32 bytes. */
  readonly sense?: string;
  /** From the ring to the answer. */
  readonly microseconds: number;
  /** Bytes it transferred. */
  readonly bytes: number;
}

/** What happened since the last batch. */
export interface TraceBatch {
  readonly commands: readonly TracedCommand[];
  /** Commands that are missing because they came too fast. */
  readonly dropped: number;
  /** The device is closed: this is the last batch. */
  readonly ended: boolean;
}

export type TraceListener = (batch: TraceBatch) => void;

/** A command as it is traced. */
export interface TraceableCommand extends CountedCommand {
  readonly cdbLength: number;
}

/** Bytes kept of a CDB and of sense data. */
const KEPT = 32;
/** Commands kept for one batch, and milliseconds from batch to batch: at most 20 000 commands a second. */
const CAPACITY = 1024;
const INTERVAL = 50;

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

/** Notes commands in arrays of fixed size, and hands them on in batches to whoever looks. */
export class CommandTrace {
  readonly #commands: CommandSet;
  readonly #listeners = new Set<TraceListener>();
  readonly #cdbs = new Uint8Array(CAPACITY * KEPT);
  readonly #cdbLengths = new Uint8Array(CAPACITY);
  readonly #sense = new Uint8Array(CAPACITY * KEPT);
  readonly #senseLengths = new Uint8Array(CAPACITY);
  readonly #statuses = new Uint8Array(CAPACITY);
  readonly #times = new Float64Array(CAPACITY);
  readonly #microseconds = new Float64Array(CAPACITY);
  readonly #bytes = new Float64Array(CAPACITY);
  #count = 0;
  #dropped = 0;
  #timer: NodeJS.Timeout | undefined;

  /** @param commands names them */
  constructor(commands: CommandSet) {
    this.#commands = commands;
  }

  /** Whether anybody looks. */
  get active(): boolean {
    return this.#listeners.size > 0;
  }

  /**
   * Hear of commands, in batches some 50 ms apart.
   * @returns call it to hear no more
   */
  listen(listener: TraceListener): () => void {
    this.#listeners.add(listener);
    this.#timer ??= setInterval(() => this.#drain(), INTERVAL).unref();
    return () => {
      this.#listeners.delete(listener);
      if (!this.active) this.#stop();
    };
  }

  #stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#count = this.#dropped = 0;
  }

  /** A command is answered. @param microseconds NaN where it began before anybody looked */
  record(
    command: TraceableCommand,
    status: number,
    sense: Uint8Array | undefined,
    microseconds: number,
  ): void {
    if (Number.isNaN(microseconds)) return;
    if (this.#count === CAPACITY) {
      this.#dropped++;
      return;
    }
    const index = this.#count++;
    this.#cdbLengths[index] = copy(command.cdb, command.cdbLength, this.#cdbs, index);
    this.#senseLengths[index] = sense === undefined ? 0 : copy(sense, sense.length, this.#sense, index);
    this.#statuses[index] = status;
    this.#times[index] = performance.timeOrigin + performance.now();
    this.#microseconds[index] = microseconds;
    this.#bytes[index] = command.transferLength ?? 0;
  }

  #drain(): void {
    if (this.#count > 0 || this.#dropped > 0) this.#tell(false);
  }

  /** The device is closed. */
  close(): void {
    if (!this.active) return;
    this.#tell(true);
    this.#listeners.clear();
    this.#stop();
  }

  #tell(ended: boolean): void {
    const commands = Array.from({ length: this.#count }, (_, index) => this.#at(index));
    const batch: TraceBatch = { commands, dropped: this.#dropped, ended };
    this.#count = this.#dropped = 0;
    for (const listener of this.#listeners) listener(batch);
  }

  #at(index: number): TracedCommand {
    const at = index * KEPT;
    const cdb = this.#cdbs.subarray(at, at + this.#cdbLengths[index]);
    const sense = this.#sense.subarray(at, at + this.#senseLengths[index]);
    return {
      time: this.#times[index],
      cdb: hex(cdb),
      name: this.#commands.decode(cdb)?.name ?? 'unknown',
      status: this.#statuses[index],
      ...(sense.length > 0 && { sense: hex(sense) }),
      microseconds: Math.round(this.#microseconds[index] * 10) / 10,
      bytes: this.#bytes[index],
    };
  }
}

/** @returns how many of the first `length` bytes of `from` were kept */
function copy(from: Uint8Array, length: number, to: Uint8Array, index: number): number {
  const kept = Math.min(length, KEPT);
  for (let at = 0; at < kept; at++) to[index * KEPT + at] = from[at];
  return kept;
}
