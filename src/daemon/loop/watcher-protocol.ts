import type { Stall } from './loop-observer.js';

/** What the watching thread is started with. */
export interface WatcherStart {
  /** Of the LoopMarks of the main thread. */
  readonly memory: SharedArrayBuffer;
  /** Milliseconds. */
  readonly threshold: number;
  readonly commandNames: readonly string[];
  /** How it writes to stderr while the loop is blocked; undefined where it does not. */
  readonly format?: 'text' | 'json';
}

/** To the watching thread: a device's number and name. */
export interface WatchedDevice {
  readonly index: number;
  readonly name: string;
}

/** From the watching thread: it looks, and a stall is over. */
export type FromWatcher = { readonly kind: 'ready' } | { readonly kind: 'over'; readonly stall: Stall };
