import type { Journal } from './journal.js';

/** What became of the commands that an earlier consumer of the ring had left. */
export type RecoveryOutcome =
  /** There was none. */
  | { readonly kind: 'fresh' }
  /** Those that were unfinished go on; `interrupted` of them are given to onInterrupted(). */
  | { readonly kind: 'resumed'; readonly unfinished: number; readonly interrupted: number }
  /** They cannot be known: the ring was reset. */
  | { readonly kind: 'reset'; readonly reason: string };

/** What a ring needs for its commands to outlive the process. */
export interface Resumption {
  readonly journal: Journal;
  /** Whether a command can be run again after it was run in part or wholly. Asked for each. */
  readonly isIdempotent: (cdb: Uint8Array) => boolean;
  /** Have the kernel empty the ring, so that initiators send again what was on it (action/reset_ring, 1). */
  readonly resetRing: (reason: string) => void;
}
