import { endsWithin } from '../device/patience.js';
import type { Logger } from './log.js';
import type { Predecessor } from './take-over.js';

/** Milliseconds for which one device may be kept from being opened before the next one is taken. */
const OPEN_PATIENCE = 10_000;

/** On the clock that all processes of this machine share, in milliseconds. */
const now = (): number => performance.timeOrigin + performance.now();

/**
 * What comes from the daemon before this one: one device after the other, so that the commands of each wait for itself
 * alone.
 */
export class Succession {
  readonly #predecessor: Predecessor;
  readonly #log: Pick<Logger, 'info' | 'debug'>;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(predecessor: Predecessor, log: Pick<Logger, 'info' | 'debug'>) {
    this.#predecessor = predecessor;
    this.#log = log;
  }

  /**
   * Have the other daemon let go of a device, then open it.
   * @param name HBA/NAME
   * @throws what `open` throws; Error where the other daemon is gone
   */
  take<Result>(name: string, open: () => Promise<Result>): Promise<Result> {
    const taken = this.#turn.then(() => this.#take(name, open));
    // A disk that does not open keeps the others of no service.
    this.#turn = endsWithin(OPEN_PATIENCE, taken).catch(() => undefined);
    return taken;
  }

  async #take<Result>(name: string, open: () => Promise<Result>): Promise<Result> {
    const since = await this.#predecessor.handOver(name);
    const free = now();
    const result = await open();
    // It was not served by the other one.
    if (since === undefined) return result;
    const end = now();
    const stall = Math.max(0, end - since);
    const [closing, opening] = [free - since, end - free].map((part) => part.toFixed(1));
    this.#log.debug(`${name}: let go of after ${closing} ms, opened ${opening} ms later`);
    this.#log.info({ device: name, stall }, `${name}: taken over; commands waited ${stall.toFixed(0)} ms`);
    return result;
  }
}
