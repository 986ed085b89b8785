// HOT PATH: `succeeded` runs for every command that ends GOOD.
import type { CommandDefinition } from './command-definition.js';
import { senseKey } from './sense.js';

/** What is counted apart: reading, writing, and verifying. In an array, where a number beyond 2^31 needs no object. */
export class ActivityCounters {
  readonly #counts = new Float64Array(3);

  /** Commands that ended GOOD. */
  get commands(): number {
    return this.#counts[0];
  }

  set commands(count: number) {
    this.#counts[0] = count;
  }

  get bytes(): number {
    return this.#counts[1];
  }

  set bytes(count: number) {
    this.#counts[1] = count;
  }

  /** Commands that ended with MEDIUM ERROR. */
  get uncorrectedErrors(): number {
    return this.#counts[2];
  }

  set uncorrectedErrors(count: number) {
    this.#counts[2] = count;
  }

  /** A command ended GOOD. */
  succeeded(bytes: number): void {
    this.#counts[0]++;
    this.#counts[1] += bytes;
  }
}

/** Counters of a logical unit since power on, or since LOG SELECT reset them. */
export class Statistics {
  readonly reads = new ActivityCounters();
  readonly writes = new ActivityCounters();
  readonly verifies = new ActivityCounters();
  /** HARDWARE ERROR and ABORTED COMMAND. */
  nonMediumErrors = 0;

  /** @param bytes transferred */
  succeeded({ address, activity, direction }: CommandDefinition, bytes: number): void {
    if (address === undefined || direction === 'none') return;
    const counters = activity === 'write' ? this.writes : direction === 'in' ? this.reads : this.verifies;
    counters.succeeded(bytes);
  }

  /** @param key of the sense data it ended with */
  failed({ activity, direction }: CommandDefinition, key: number): void {
    if (key === senseKey.hardwareError || key === senseKey.abortedCommand) this.nonMediumErrors++;
    if (key !== senseKey.mediumError) return;
    const counters = activity === 'write' ? this.writes : direction === 'in' ? this.reads : this.verifies;
    counters.uncorrectedErrors++;
  }
}
