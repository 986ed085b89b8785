import { setTimeout as delay } from 'node:timers/promises';
import type { TraceBatch, TraceListener } from '../../device/command-trace.js';
import { notInTime, OPEN_TIMEOUT } from '../../device/disk-opener.js';
import { endsWithin } from '../../device/patience.js';
import type { ReplaceOptions } from '../../device/reload.js';
import { writtenConfig } from '../../handlers/cfgstring.js';
import type { TcmuDevice } from '../../target/uio.js';
import type { DeviceDetails, DeviceStatisticsReport, LogLevelName } from '../control/schema.js';
import type { Logger } from '../log.js';
import type { ReloadOutcome } from '../reload.js';
import { BackOff } from './back-off.js';
import type { DeviceHost } from './device-host.js';
import type { HostConnection } from './host-connection.js';
import { addStatistics } from './host-statistics.js';
import type { Isolation } from '../../handlers/isolation.js';
import {
  toError,
  type CallName,
  type CallParameters,
  type CallResult,
  type HostedState,
} from './protocol.js';

export interface SupervisedHostOptions {
  readonly tcmu: TcmuDevice;
  readonly isolation: Exclude<Isolation, 'none'>;
  /** Starts a host, when there is room for one to start. */
  readonly connect: () => HostConnection | Promise<HostConnection>;
  /** Reads what a device's dev_config says to a handler whose host cannot; undefined for one whose host can. */
  readonly configure?: (devConfig: string) => object | undefined;
  readonly log: Pick<Logger, 'debug' | 'info' | 'warn' | 'error' | 'level'>;
  /** Called each time that a host has opened the device. */
  readonly onOpen?: () => void;
  /** Called once, when the device is closed. */
  readonly onClose?: () => void;
  /** A host whose event loop does not turn for so long is restarted; milliseconds, 0 never. Default 0. */
  readonly restartAfter?: number;
  /** How long a handler may take to open its disk; milliseconds. Default OPEN_TIMEOUT. */
  readonly openTimeout?: number;
  /** Milliseconds that a host has to load handlers, and to answer in beyond openTimeout. Default 30 000 and 5 000. */
  readonly patience?: { readonly load?: number; readonly answer?: number };
}

/** Milliseconds for which a device may be held by a host that has just died, and from try to try. */
const BUSY_PATIENCE = 2000;
const BUSY_WAIT = 20;

/** Milliseconds that a host may take to start and to load its handlers. */
const LOAD_TIMEOUT = 30_000;

/** Milliseconds that a host has to answer in, beyond the time its handler may take: it has that end itself. */
const OPEN_PATIENCE = 5000;

/** Milliseconds that a host may take to close its device, beyond the time its commands have. */
const CLOSE_PATIENCE = 5000;

/** Milliseconds that a host may take to end when it is killed. */
const KILL_PATIENCE = 1000;

/**
 * A device whose host is a thread or a process: started, and started again when it dies, with longer and longer
 * pauses. Commands wait in the kernel meanwhile, and the new host goes on from ring and journal. Nothing of the disk
 * passes through here.
 */
export class SupervisedHost implements DeviceHost {
  readonly name: string;
  readonly isolation: Exclude<Isolation, 'none'>;
  readonly #options: SupervisedHostOptions;
  readonly #log: SupervisedHostOptions['log'];
  readonly #backOff = new BackOff();
  readonly #listeners = new Set<TraceListener>();
  #tcmu: TcmuDevice;
  /** The host that starts or serves. */
  #connection: HostConnection | undefined;
  /** It serves. */
  #isOpen = false;
  #isBroken = false;
  #openedAt = 0;
  #diedAt = 0;
  #state!: HostedState;
  /** Counters of the hosts that died, and the last that is known of this one. */
  #past: DeviceStatisticsReport | undefined;
  #statistics: DeviceStatisticsReport | undefined;
  #restarts = 0;
  #lastBeat = 0;
  #watch: NodeJS.Timeout | undefined;
  // What a new host is told.
  #paused = false;
  #writeCache: boolean | undefined;
  #releasing: Promise<void> | undefined;
  #closing: Promise<void> | undefined;
  readonly #stop = new AbortController();

  private constructor(options: SupervisedHostOptions) {
    this.#options = options;
    this.#log = options.log;
    this.isolation = options.isolation;
    this.#tcmu = options.tcmu;
    this.name = `${options.tcmu.hba}/${options.tcmu.name}`;
  }

  /** @throws Error where the device cannot be opened; there is no host then */
  static async open(options: SupervisedHostOptions): Promise<SupervisedHost> {
    const host = new SupervisedHost(options);
    await host.#start();
    return host;
  }

  get tcmu(): TcmuDevice {
    return this.#tcmu;
  }

  get size(): number {
    return this.#state.details.size;
  }

  get holdsData(): boolean {
    return this.#state.holdsData;
  }

  get isBroken(): boolean {
    return this.#isBroken;
  }

  /** @throws Error where it ends, or the device cannot be opened */
  async #start(): Promise<void> {
    const connection = await this.#options.connect();
    if (this.#closing) {
      await endsWithin(KILL_PATIENCE, connection.kill());
      throw new Error(`${this.name} is being closed`);
    }
    this.#connection = connection;
    connection.listener = {
      onTrace: (batch) => this.#traced(batch),
      onHeartbeat: (statistics, state) => {
        this.#lastBeat = performance.now();
        if (this.#connection !== connection || !this.#isOpen) return;
        this.#statistics = statistics;
        this.#isBroken = state === 'broken';
      },
      onStuck: (reason) => {
        this.#log.error({ device: this.name }, `${this.name}: its host is ended, for ${reason}`);
        void connection.kill();
      },
    };
    try {
      const { openTimeout = OPEN_TIMEOUT, patience = {} } = this.#options;
      const { load = LOAD_TIMEOUT, answer = OPEN_PATIENCE } = patience;
      if (!(await endsWithin(load, connection.ready))) {
        throw notInTime('its host had not loaded the handlers', load);
      }
      // A check and an opening.
      const limit = 2 * openTimeout + answer;
      const opening = this.#openDevice(connection);
      if (!(await endsWithin(limit, opening))) throw notInTime('its host had not opened it', limit);
      this.#state = await opening;
      if (this.#listeners.size > 0) await connection.call('trace', { on: true });
    } catch (error) {
      await endsWithin(KILL_PATIENCE, connection.kill());
      throw error;
    }
    this.#isOpen = true;
    this.#isBroken = false;
    this.#openedAt = this.#lastBeat = performance.now();
    this.#watchBeats(connection);
    this.#options.onOpen?.();
    void connection.exited.then((reason) => this.#died(connection, reason));
  }

  /** One that died a moment ago may hold the device for another one. */
  async #openDevice(connection: HostConnection): Promise<HostedState> {
    const giveUp = performance.now() + BUSY_PATIENCE;
    for (;;) {
      try {
        return await connection.call('open', {
          tcmu: this.#tcmu,
          config: this.#configure(this.#tcmu.devConfig),
          paused: this.#paused,
          writeCache: this.#writeCache,
          logLevel: this.#log.level as LogLevelName,
        });
      } catch (error) {
        const isBusy = (error as NodeJS.ErrnoException).code === 'EBUSY';
        if (!isBusy || connection.hasEnded || performance.now() > giveUp || this.#releasing) throw error;
      }
      await delay(BUSY_WAIT);
    }
  }

  #configure(devConfig: string): object | undefined {
    return this.#options.configure?.(devConfig);
  }

  #watchBeats(connection: HostConnection): void {
    const { restartAfter = 0 } = this.#options;
    if (restartAfter === 0) return;
    clearInterval(this.#watch);
    this.#watch = setInterval(
      () => {
        const silence = performance.now() - this.#lastBeat;
        if (silence < restartAfter || this.#releasing) return;
        this.#log.error(
          { device: this.name },
          `${this.name}: its host has not answered for ${silence.toFixed(0)} ms: ended`,
        );
        clearInterval(this.#watch);
        void connection.kill();
      },
      Math.max(100, restartAfter / 4),
    ).unref();
  }

  #died(connection: HostConnection, reason: string): void {
    if (this.#connection !== connection || this.#releasing) return;
    this.#isOpen = false;
    clearInterval(this.#watch);
    if (this.#statistics) this.#past = addStatistics(this.#past, this.#statistics);
    this.#statistics = undefined;
    const what = `${this.name}: its host (${this.#describe(connection)}) died`;
    this.#log.error({ device: this.name }, `${what}: ${reason}`);
    if (this.holdsData) {
      this.#log.error({ device: this.name }, `${this.name}: the data was in that host's memory, and is lost`);
    }
    this.#diedAt = performance.now();
    void this.#restart(this.#backOff.died(performance.now() - this.#openedAt));
  }

  #describe(connection: HostConnection): string {
    return this.isolation === 'process' ? `process ${connection.pid}` : 'a thread';
  }

  /** Try until it serves again or is closed. */
  async #restart(wait: number): Promise<void> {
    for (;;) {
      await delay(wait, undefined, { signal: this.#stop.signal }).catch(() => undefined);
      if (this.#releasing) return;
      try {
        await this.#start();
        this.#restarts++;
        const down = performance.now() - this.#diedAt;
        this.#log.info(
          { device: this.name, down },
          `${this.name}: served again by a new host after ${down.toFixed(0)} ms`,
        );
        return;
      } catch (error) {
        if (this.#releasing) return;
        wait = this.#backOff.died(0);
        this.#log.error(
          { device: this.name },
          `${this.name}: no new host yet, next try in ${wait / 1000} s: ${(error as Error).message}`,
        );
      }
    }
  }

  #call<Name extends CallName>(name: Name, parameters: CallParameters<Name>): Promise<CallResult<Name>> {
    if (this.#isOpen && this.#connection) return this.#connection.call(name, parameters);
    const error = new Error(`${this.name}: its host has died and is being started again`);
    return Promise.reject(Object.assign(error, { code: 'EAGAIN' }));
  }

  async details(): Promise<DeviceDetails> {
    if (this.#isOpen) {
      try {
        this.#state = await this.#call('details', undefined);
      } catch {
        // It died under the call.
      }
    }
    const { details } = this.#state;
    return {
      ...details,
      ...(!this.#isOpen && { state: this.#releasing ? 'closed' : 'restarting' }),
      isolation: this.isolation,
      pid: this.#connection?.pid,
      restarts: this.#restarts,
    };
  }

  async statistics(): Promise<DeviceStatisticsReport> {
    if (this.#isOpen) {
      try {
        const statistics = await this.#call('statistics', undefined);
        if (this.#isOpen) this.#statistics = statistics;
      } catch {
        // It died under the call.
      }
    }
    if (this.#statistics) return addStatistics(this.#past, this.#statistics);
    return this.#past ?? noStatistics(this.name);
  }

  async pause(): Promise<void> {
    this.#paused = true;
    if (this.#isOpen) await this.#call('quiesce', undefined);
  }

  async resume(): Promise<void> {
    this.#paused = false;
    if (this.#isOpen) await this.#call('resume', undefined);
  }

  async resize(size: number): Promise<void> {
    this.#state = await this.#call('resize', { size });
  }

  async setWriteCache(enabled: boolean): Promise<void> {
    await this.#call('setWriteCache', { enabled });
    this.#writeCache = enabled;
  }

  async reconfigure(devConfig: string): Promise<void> {
    // What changes nothing is not looked at.
    const same = writtenConfig(devConfig) === this.#tcmu.devConfig;
    const config = same ? undefined : this.#configure(devConfig);
    const { tcmu, state } = await this.#call('reconfigure', { devConfig, config });
    this.#tcmu = tcmu;
    this.#state = state;
  }

  async reload(options?: ReplaceOptions): Promise<void> {
    this.#state = await this.#call('reload', { options, config: this.#configure(this.#tcmu.devConfig) });
  }

  async reloadModule(origin: string, options?: ReplaceOptions): Promise<ReloadOutcome[]> {
    const { outcomes, state } = await this.#call('reloadModule', { origin, options });
    this.#state = state;
    return outcomes.map(({ device, stall, error }) => ({
      device,
      stall,
      ...(error && { error: toError(error) }),
    }));
  }

  setLogLevel(level: LogLevelName): void {
    if (this.#isOpen) this.#call('logLevel', { level }).catch(() => undefined);
  }

  trace(listener: TraceListener): () => void {
    this.#listeners.add(listener);
    if (this.#listeners.size === 1) this.#switchTrace(true);
    return () => {
      if (this.#listeners.delete(listener) && this.#listeners.size === 0) this.#switchTrace(false);
    };
  }

  #switchTrace(on: boolean): void {
    if (this.#isOpen) this.#call('trace', { on }).catch(() => undefined);
  }

  #traced(batch: TraceBatch): void {
    for (const listener of [...this.#listeners]) listener(batch);
    if (batch.ended) this.#listeners.clear();
  }

  async release(drainTimeout = 10_000): Promise<number> {
    // Where it dies under it, there is nothing left to be flushed.
    await this.#call('flush', { patience: drainTimeout }).catch(() => undefined);
    const since = performance.timeOrigin + performance.now();
    await this.#letGo(drainTimeout);
    return since;
  }

  #letGo(drainTimeout: number): Promise<void> {
    return (this.#releasing ??= this.#release(drainTimeout));
  }

  async #release(drainTimeout: number): Promise<void> {
    clearInterval(this.#watch);
    this.#stop.abort();
    const connection = this.#connection;
    if (!connection) return;
    const closed = this.#isOpen && (await this.#closeDevice(connection, drainTimeout));
    this.#isOpen = false;
    this.#traced({ commands: [], dropped: 0, ended: true });
    if (!closed) await this.#end(connection);
  }

  /** @returns whether its host has closed it */
  async #closeDevice(connection: HostConnection, drainTimeout: number): Promise<boolean> {
    try {
      // Draining, then the flush and the close of the disk, have so much time each.
      const closed = connection.call('close', { drainTimeout });
      if (await endsWithin(3 * drainTimeout + CLOSE_PATIENCE, closed)) return true;
      this.#log.error({ device: this.name }, `${this.name}: its host does not close it, and is ended`);
    } catch {
      // It died: the next one goes on from the journal.
    }
    return false;
  }

  close(drainTimeout = 10_000): Promise<void> {
    return (this.#closing ??= this.#close(drainTimeout));
  }

  async #close(drainTimeout: number): Promise<void> {
    await this.#letGo(drainTimeout);
    if (this.#connection) await this.#end(this.#connection);
    this.#options.onClose?.();
  }

  async #end(connection: HostConnection): Promise<void> {
    const killed = connection.kill();
    // It has nothing of the device yet.
    if (!connection.hasStarted) return;
    // One that reads a removed device's configfs ends only after the removal, which waits for us.
    if (!(await endsWithin(KILL_PATIENCE, killed))) {
      this.#log.warn({ device: this.name }, `${this.name}: its host has not ended yet`);
    }
  }
}

function noStatistics(name: string): DeviceStatisticsReport {
  return {
    name,
    inFlight: 0,
    commands: 0,
    reads: 0,
    writes: 0,
    unmaps: 0,
    readBytes: 0,
    writtenBytes: 0,
    errors: 0,
    senseKeys: [],
    handlerErrors: 0,
    timeouts: 0,
    latency: { samples: 0, total: 0, buckets: [] },
  };
}
