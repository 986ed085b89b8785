import { Steps } from '../../device/steps.js';
import type { TraceBatch } from '../../device/command-trace.js';
import type { DiskMaker } from '../../handlers/contract.js';
import type { HandlerRegistry } from '../../handlers/registry.js';
import { ConfigfsDevice } from '../../target/configfs.js';
import { LocalDevice } from '../control/local-device.js';
import type { Logger } from '../log.js';
import { openDevice, type DeviceSettings } from '../open-device.js';
import { prepareDevice } from '../prepare-device.js';
import { Reloader, type ServedDevice } from '../reload.js';
import { plainError, type HostCalls, type HostedState } from './protocol.js';

type Promised<Result> = Result | Promise<Result>;
type Implementation = {
  readonly [Name in keyof HostCalls]: (
    ...parameters: Parameters<HostCalls[Name]>
  ) => Promised<ReturnType<HostCalls[Name]>>;
};

export interface HostedDeviceOptions {
  readonly registry: HandlerRegistry<DiskMaker>;
  readonly settings: DeviceSettings;
  readonly log: Logger;
  readonly onTrace: (batch: TraceBatch) => void;
}

interface Served extends ServedDevice {
  readonly control: LocalDevice;
}

/** The one device of a host: what each call of the protocol does. */
export class HostedDevice implements Implementation {
  readonly #options: HostedDeviceOptions;
  readonly #reloader: Reloader;
  #served: Served | undefined;
  #stopTrace: (() => void) | undefined;

  constructor(options: HostedDeviceOptions) {
    this.#options = options;
    this.#reloader = new Reloader(options.registry, options.settings, options.log);
  }

  get #open(): Served {
    if (!this.#served) throw new Error('the device is not open');
    return this.#served;
  }

  #report(): HostedState {
    const { device, control } = this.#open;
    return { details: control.details(), holdsData: device.disk.handOver !== undefined };
  }

  async prepare({ tcmu, config }: Parameters<HostCalls['prepare']>[0]): Promise<void> {
    const { registry, settings, log } = this.#options;
    await prepareDevice(tcmu, registry, settings, log, config);
  }

  async open({
    tcmu,
    config,
    paused,
    writeCache,
    logLevel,
  }: Parameters<HostCalls['open']>[0]): Promise<HostedState> {
    const { registry, settings, log } = this.#options;
    // It may have been started long ago.
    log.level = logLevel;
    const configfs = ConfigfsDevice.hold(tcmu);
    const device = await openDevice(tcmu, configfs, registry, settings, log, config);
    if (writeCache !== undefined) device.unit.setWriteCache(writeCache);
    this.#served = { device, tcmu, configfs, control: new LocalDevice(device, tcmu) };
    const steps = new Steps();
    device.start();
    steps.done('first commands');
    log.debug(`${device.name}: started: ${steps.toString()}`);
    if (paused) await device.quiesce();
    return this.#report();
  }

  details(): HostedState {
    return this.#report();
  }

  statistics(): ReturnType<HostCalls['statistics']> {
    return this.#open.control.statistics();
  }

  /** For heartbeats. */
  get counters(): ReturnType<HostCalls['statistics']> | undefined {
    return this.#served?.control.statistics();
  }

  get state(): string | undefined {
    return this.#served?.device.state;
  }

  quiesce(): Promise<void> {
    return this.#open.device.quiesce();
  }

  resume(): void {
    this.#open.device.resume();
  }

  async resize({ size }: { size: number }): Promise<HostedState> {
    await this.#open.device.resize(size);
    return this.#report();
  }

  setWriteCache({ enabled }: { enabled: boolean }): void {
    this.#open.device.unit.setWriteCache(enabled);
  }

  async reconfigure({
    devConfig,
    config,
  }: Parameters<HostCalls['reconfigure']>[0]): Promise<ReturnType<HostCalls['reconfigure']>> {
    const { device, configfs } = this.#open;
    const tcmu = await this.#reloader.reconfigure(this.#open, devConfig, config);
    this.#served = { device, tcmu, configfs, control: new LocalDevice(device, tcmu) };
    return { tcmu, state: this.#report() };
  }

  async reload({ config, options }: Parameters<HostCalls['reload']>[0]): Promise<HostedState> {
    await this.#reloader.reload(this.#open, options, config);
    return this.#report();
  }

  async reloadModule({
    origin,
    options,
  }: Parameters<HostCalls['reloadModule']>[0]): Promise<ReturnType<HostCalls['reloadModule']>> {
    const outcomes = await this.#reloader.reloadModule(origin, [this.#open], options);
    return {
      outcomes: outcomes.map(({ device, stall, error }) => ({
        device,
        stall,
        ...(error && { error: plainError(error) }),
      })),
      state: this.#report(),
    };
  }

  trace({ on }: { on: boolean }): void {
    if (on) this.#stopTrace ??= this.#open.device.trace(this.#options.onTrace);
    else {
      this.#stopTrace?.();
      this.#stopTrace = undefined;
    }
  }

  logLevel({ level }: Parameters<HostCalls['logLevel']>[0]): void {
    this.#options.log.level = level;
  }

  async flush({ patience }: { patience: number }): Promise<void> {
    await this.#open.device.flush(patience);
  }

  async close({ drainTimeout }: { drainTimeout?: number }): Promise<void> {
    await this.#served?.device.close(drainTimeout);
  }
}
