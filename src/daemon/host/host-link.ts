import type { FromHost, HostStart, ToHost } from './protocol.js';

/** What the daemon hears of a host. */
export interface LinkListener {
  onMessage(message: FromHost): void;
  /**
   * It has ended, and holds nothing open any more. Called once; no message comes after it.
   * @param reason why, for the log
   */
  onExit(reason: string): void;
}

/** The daemon's hold on a thread or a process that serves a device. */
export interface HostLink {
  /** Its process; the daemon's own where it is a thread. */
  readonly pid: number;
  post(message: ToHost): void;
  /** End it, whatever it does, as soon as it can be without a loss: at once where it serves a device. */
  kill(): void;
}

/** Starts a host. */
export type LinkStarter = (start: HostStart, listener: LinkListener) => HostLink;
