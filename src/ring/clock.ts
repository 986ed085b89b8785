// HOT PATH: read() runs for one command in sixteen, and once a batch.
import { native } from '../native/addon.js';

/**
 * The monotonic clock. A number that performance.now() returns is 16 bytes of garbage; this one is stored where it can
 * be read without.
 */
export interface Clock {
  /** Its one element: milliseconds since some time in the past, as read() found them. */
  readonly time: Float64Array;
  readonly read: () => void;
}

function open(): Clock {
  try {
    const { time, read } = native().openClock();
    return { time: new Float64Array(time), read };
  } catch {
    // No addon on this system.
    const time = new Float64Array(1);
    return { time, read: () => void (time[0] = performance.now()) };
  }
}

let clock: Clock | undefined;

/** This thread's. */
export function threadClock(): Clock {
  return (clock ??= open());
}
