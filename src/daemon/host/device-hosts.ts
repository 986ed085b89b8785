import { availableParallelism } from 'node:os';
import type { HandlerRegistry } from '../../handlers/registry.js';
import { endsWithin } from '../../device/patience.js';
import { configure, isolationOf, parseDeviceConfig, writtenConfig } from '../../handlers/cfgstring.js';
import type { CopyManager } from '../../scsi/copy-manager.js';
import { ConfigfsDevice } from '../../target/configfs.js';
import type { TcmuDevice } from '../../target/uio.js';
import type { Logger, LogFormat } from '../log.js';
import { isForPeople } from '../log.js';
import { openDevice, type DeviceSettings } from '../open-device.js';
import type { LogLevelName } from '../control/schema.js';
import { prepareDevice } from '../prepare-device.js';
import type { Reloader } from '../reload.js';
import type { DeviceHost } from './device-host.js';
import { Gate } from './gate.js';
import { HostConnection } from './host-connection.js';
import { InProcessHost } from './in-process-host.js';
import type { Isolation } from '../../handlers/isolation.js';
import { ProcessLink } from './process-link.js';
import type { HandlerSource, HostStart } from './protocol.js';
import { SupervisedHost } from './supervised-host.js';
import { ThreadLink } from './thread-link.js';
import { ThreadWatch } from '../loop/thread-watch.js';

/** How devices are kept apart. */
export interface IsolationSettings {
  /** Where a device is served whose configuration does not say. */
  readonly isolation: Isolation;
  /** Where threads and processes load handlers from. */
  readonly handlers: HandlerSource;
  readonly logFormat?: LogFormat;
  /** Milliseconds that the event loop of a thread or process may be kept from turning before it is reported; 0 never. */
  readonly blockThreshold?: number;
  /** Milliseconds of that before it is ended and another is started; 0 never. */
  readonly restartAfter?: number;
}

export interface DeviceHostsOptions {
  readonly registry: HandlerRegistry;
  readonly settings: DeviceSettings;
  readonly log: Logger;
  readonly reloader: Reloader;
  readonly copyManager?: CopyManager;
  /** Without it every device is served in this thread. */
  readonly isolation?: IsolationSettings;
  /** Why every device must be served in this thread, if there is a reason. */
  readonly together?: string;
}

type Apart = Exclude<Isolation, 'none'>;

/** Finds each device its host. */
export class DeviceHosts {
  readonly #options: DeviceHostsOptions;
  /** Started ahead of need, their handlers loaded. */
  readonly #waiting: Record<Apart, HostConnection[]> = { thread: [], process: [] };
  /** Devices that are open, by what serves them. */
  readonly #open: Record<Apart, number> = { thread: 0, process: 0 };
  readonly #watch: ThreadWatch | undefined;
  /**
   * Starting is work for a processor: of many at once none would be ready in its time, as when a daemon finds all
   * its devices.
   */
  readonly #starting = new Gate(availableParallelism());
  /** Devices are about to come, and a spare one would take the processor from theirs. */
  #areComing = false;
  #saidTogether = false;
  #isClosed = false;

  constructor(options: DeviceHostsOptions) {
    this.#options = options;
    const { isolation, log } = options;
    const threshold = isolation?.blockThreshold ?? 0;
    if (threshold > 0) this.#watch = new ThreadWatch({ threshold, log });
  }

  /** @throws ConfigError where its configuration names an isolation that there is not */
  isolationOf(tcmu: TcmuDevice): Isolation {
    const { isolation, together, settings, registry, log } = this.#options;
    if (!isolation) return 'none';
    const wanted = isolationOf(tcmu.cfgstring, settings) ?? isolation.isolation;
    if (wanted === 'none') return wanted;
    if (together !== undefined) {
      if (!this.#saidTogether) log.info(`all devices are served in one thread, because of ${together}`);
      this.#saidTogether = true;
      return 'none';
    }
    // A handler that a program made itself is nowhere to be loaded from.
    return registry.canBeLoaded(tcmu.subtype) ? wanted : 'none';
  }

  /**
   * Have hosts ready for devices that are about to come.
   * @param patience milliseconds to wait for the slowest
   */
  async prepare(devices: readonly TcmuDevice[], patience: number): Promise<void> {
    this.#areComing = true;
    this.#connectFor(devices);
    await endsWithin(patience, Promise.allSettled(this.#all().map(({ ready }) => ready)));
  }

  /** The same for devices whose commands wait while they are opened: what that needs is run once ahead of time. */
  async prepareTakeOver(devices: readonly TcmuDevice[], patience: number): Promise<void> {
    const first = this.#connectFor(devices);
    const { registry, settings, log } = this.#options;
    const prepared: Promise<void>[] = [];
    if (first.none) prepared.push(prepareDevice(first.none, registry, settings, log));
    for (const isolation of ['thread', 'process'] as const) {
      const tcmu = first[isolation];
      if (!tcmu) continue;
      // The spare one too: it would start while devices are being opened.
      this.#waiting[isolation].push(this.#connect(isolation));
      for (const connection of this.#waiting[isolation]) {
        prepared.push(
          connection.ready.then(() =>
            connection.call('prepare', { tcmu, config: this.#configure(tcmu, tcmu.devConfig) }),
          ),
        );
      }
    }
    await endsWithin(patience, Promise.allSettled(prepared));
  }

  /** @returns one device of each isolation */
  #connectFor(devices: readonly TcmuDevice[]): Partial<Record<Isolation, TcmuDevice>> {
    const first: Partial<Record<Isolation, TcmuDevice>> = {};
    for (const device of devices) {
      let isolation: Isolation;
      try {
        isolation = this.isolationOf(device);
      } catch {
        // Said when it is opened.
        continue;
      }
      first[isolation] ??= device;
      if (isolation !== 'none') this.#waiting[isolation].push(this.#connect(isolation));
    }
    return first;
  }

  #all(): HostConnection[] {
    return Object.values(this.#waiting).flat();
  }

  /** The handlers' code has changed: hosts that have loaded the old one are not for use any more. */
  renew(): void {
    for (const isolation of ['thread', 'process'] as const) {
      const waiting = this.#waiting[isolation].splice(0);
      for (const connection of waiting) void connection.kill();
      if (waiting.length > 0) this.#keepSpare(isolation);
    }
  }

  /** The devices have come: end all but one of those that are left. */
  trim(): void {
    this.#areComing = false;
    for (const isolation of ['thread', 'process'] as const) {
      if (this.#open[isolation] > 0) this.#keepSpare(isolation);
    }
    for (const waiting of Object.values(this.#waiting)) {
      for (const connection of waiting.splice(1)) void connection.kill();
    }
  }

  /** End those that wait for a device. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all(this.#all().map((connection) => connection.kill()));
  }

  /** Open a device and serve it. @throws Error that says why it cannot be */
  async open(tcmu: TcmuDevice): Promise<DeviceHost> {
    const { registry, settings, log, reloader, copyManager, isolation } = this.#options;
    const where = this.isolationOf(tcmu);
    if (where === 'none') {
      const unit = { ...settings, copyManager };
      const configfs = ConfigfsDevice.hold(tcmu);
      const device = await openDevice(tcmu, configfs, registry, unit, log);
      return new InProcessHost(device, tcmu, configfs, reloader);
    }
    const host = await SupervisedHost.open({
      tcmu,
      isolation: where,
      connect: () => this.#take(where),
      configure: (devConfig) => this.#configure(tcmu, devConfig),
      log,
      onOpen: () => this.#keepSpare(where),
      onClose: () => this.#closed(where),
      restartAfter: isolation?.restartAfter,
      openTimeout: settings.openTimeout,
    });
    this.#open[where]++;
    return host;
  }

  /**
   * What a dev_config says to a handler that comes with Lunette: hosts have no schemas for those. A handler from a
   * module reads it itself, and makes of it what it likes, which may be nothing that could be sent.
   * @throws ConfigError
   */
  #configure(tcmu: TcmuDevice, devConfig: string): object | undefined {
    const { registry, settings } = this.#options;
    const { subtype, cfgstring } = parseDeviceConfig(writtenConfig(devConfig));
    const handler = registry.get(subtype);
    // That the handler cannot be another one is for the host to say.
    if (!handler || subtype !== tcmu.subtype || registry.origin(subtype) !== undefined) return undefined;
    return configure(handler, cfgstring, { definitions: settings.definitions });
  }

  /** Without devices there is nothing to be spared for. */
  #closed(isolation: Apart): void {
    if (--this.#open[isolation] > 0) return;
    for (const connection of this.#waiting[isolation].splice(0)) void connection.kill();
  }

  async #take(isolation: Apart): Promise<HostConnection> {
    const waiting = this.#waiting[isolation];
    for (let connection = waiting.shift(); connection; connection = waiting.shift()) {
      if (!connection.hasEnded) return connection;
    }
    await this.#starting.enter();
    const connection = this.#connect(isolation);
    const leave = (): void => this.#starting.leave();
    connection.ready.then(leave, leave);
    return connection;
  }

  /**
   * Have one host ready, so that a device whose host dies need not wait for another to start and load its code; and
   * no more than one.
   */
  #keepSpare(isolation: Apart): void {
    if (this.#areComing) return;
    const living = this.#waiting[isolation].filter(({ hasEnded }) => !hasEnded);
    if (living.length === 0 && !this.#isClosed) living.push(this.#connect(isolation));
    this.#waiting[isolation] = living;
  }

  #connect(isolation: Apart): HostConnection {
    return new HostConnection(
      (start, listener) =>
        isolation === 'thread'
          ? new ThreadLink(start, listener, this.#watch)
          : new ProcessLink(start, listener),
      this.#start,
    );
  }

  get #start(): HostStart {
    const { settings, log, isolation } = this.#options;
    return {
      handlers: isolation?.handlers ?? { modules: [] },
      settings: {
        commandTimeout: settings.commandTimeout,
        onTimeout: settings.onTimeout,
        traceVerbs: settings.traceVerbs,
        openTimeout: settings.openTimeout,
        checkedBuffers: settings.checkedBuffers,
        definitions: settings.definitions,
        runtimeDirectory: settings.runtimeDirectory,
        blockThreshold: isolation?.blockThreshold,
      },
      log: {
        level: log.level as LogLevelName,
        format: isForPeople(isolation?.logFormat ?? 'auto') ? 'text' : 'json',
      },
    };
  }
}
