// HOT PATH: `succeeded` runs for every command that ends GOOD.
import type { CommandDefinition } from './command-definition.js';
import { senseKey } from './sense.js';

/** What is counted apart: reading, writing, and verifying. */
export interface ActivityCounters {
  /** Commands that ended GOOD. */
  commands: number;
  bytes: number;
  /** Commands that ended with MEDIUM ERROR. */
  uncorrectedErrors: number;
}

const none = (): ActivityCounters => ({ commands: 0, bytes: 0, uncorrectedErrors: 0 });

/** Counters of a logical unit since power on, or since LOG SELECT reset them. */
export class Statistics {
  readonly reads = none();
  readonly writes = none();
  readonly verifies = none();
  /** HARDWARE ERROR and ABORTED COMMAND. */
  nonMediumErrors = 0;

  /** @param bytes transferred */
  succeeded({ address, activity, direction }: CommandDefinition, bytes: number): void {
    if (address === undefined || direction === 'none') return;
    const counters = activity === 'write' ? this.writes : direction === 'in' ? this.reads : this.verifies;
    counters.commands++;
    counters.bytes += bytes;
  }

  /** @param key of the sense data it ended with */
  failed({ activity, direction }: CommandDefinition, key: number): void {
    if (key === senseKey.hardwareError || key === senseKey.abortedCommand) this.nonMediumErrors++;
    if (key !== senseKey.mediumError) return;
    const counters = activity === 'write' ? this.writes : direction === 'in' ? this.reads : this.verifies;
    counters.uncorrectedErrors++;
  }
}
