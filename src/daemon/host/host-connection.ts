import type { TraceBatch } from '../../device/command-trace.js';
import type { DeviceStatisticsReport } from '../control/schema.js';
import type { HostLink, LinkStarter } from './host-link.js';
import {
  toError,
  type CallName,
  type CallParameters,
  type CallResult,
  type FromHost,
  type HostStart,
  type ToHost,
} from './protocol.js';

/** What a host tells unasked. */
export interface ConnectionListener {
  onTrace(batch: TraceBatch): void;
  onHeartbeat(statistics: DeviceStatisticsReport | undefined, state: string | undefined): void;
  onStuck(reason: string): void;
}

interface Pending {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** One host from its start to its end: calls go in, answers come out, and all that waits fails when it dies. */
export class HostConnection {
  /** Fulfilled when it can be called; rejected where it ends before. */
  readonly ready: Promise<void>;
  /** Fulfilled with the reason when it has ended. */
  readonly exited: Promise<string>;
  listener: ConnectionListener | undefined;
  readonly #link: HostLink;
  readonly #pending = new Map<number, Pending>();
  #calls = 0;
  #hasStarted = false;
  #reason: string | undefined;

  constructor(starter: LinkStarter, start: HostStart) {
    let isReady!: () => void;
    let failed!: (error: Error) => void;
    let ended!: (reason: string) => void;
    this.ready = new Promise((resolve, reject) => ((isReady = resolve), (failed = reject)));
    this.ready.catch(() => undefined);
    this.exited = new Promise((resolve) => (ended = resolve));
    this.#link = starter(start, {
      onMessage: (message) => {
        if (message.kind === 'ready') {
          this.#hasStarted = true;
          isReady();
        } else if (message.kind === 'failed') {
          failed(toError(message.error));
          this.#link.kill();
        } else this.#take(message);
      },
      onExit: (reason) => {
        this.#reason = reason;
        const error = this.#gone();
        failed(error);
        for (const { reject } of this.#pending.values()) reject(error);
        this.#pending.clear();
        ended(reason);
      },
    });
  }

  get pid(): number {
    return this.#link.pid;
  }

  /** It can be, or could be, called. */
  get hasStarted(): boolean {
    return this.#hasStarted;
  }

  get hasEnded(): boolean {
    return this.#reason !== undefined;
  }

  #gone(): Error {
    return Object.assign(new Error(`the host of the device is gone: ${this.#reason}`), { code: 'EIO' });
  }

  /** @throws Error as the host threw it, or because the host ended first */
  call<Name extends CallName>(name: Name, parameters: CallParameters<Name>): Promise<CallResult<Name>> {
    if (this.hasEnded) return Promise.reject(this.#gone());
    return new Promise((resolve, reject) => {
      const id = this.#calls++;
      this.#pending.set(id, { resolve: resolve as (value: unknown) => void, reject });
      this.#link.post({ id, call: name, parameters } as ToHost);
    });
  }

  /** End it (HostLink). @returns fulfilled when it has ended */
  async kill(): Promise<void> {
    if (this.hasEnded) return;
    this.#link.kill();
    await this.exited;
  }

  #take(message: Exclude<FromHost, { kind: 'ready' | 'failed' }>): void {
    if (message.kind === 'trace') this.listener?.onTrace(message.batch);
    else if (message.kind === 'heartbeat') this.listener?.onHeartbeat(message.statistics, message.state);
    else if (message.kind === 'stuck') this.listener?.onStuck(message.reason);
    else {
      const pending = this.#pending.get(message.id);
      this.#pending.delete(message.id);
      if (message.kind === 'result') pending?.resolve(message.value);
      else pending?.reject(toError(message.error));
    }
  }
}
