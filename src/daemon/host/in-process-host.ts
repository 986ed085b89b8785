import type { Device } from '../../device/device.js';
import type { ReplaceOptions } from '../../device/reload.js';
import type { LogicalUnit } from '../../scsi/logical-unit.js';
import type { ConfigfsDevice } from '../../target/configfs.js';
import type { TcmuDevice } from '../../target/uio.js';
import type { TraceListener } from '../../device/command-trace.js';
import { LocalDevice } from '../control/local-device.js';
import type { DeviceDetails, DeviceStatisticsReport } from '../control/schema.js';
import type { Reloader, ReloadOutcome, ServedDevice } from '../reload.js';
import type { DeviceHost } from './device-host.js';

/** A device that is served in the daemon's own thread. */
export class InProcessHost implements DeviceHost {
  readonly isolation = 'none';
  readonly #device: Device;
  readonly #reloader: Reloader;
  readonly #configfs: ConfigfsDevice;
  #tcmu: TcmuDevice;

  /** @param device open and not started yet @param reloader shared by all devices of this thread */
  constructor(device: Device, tcmu: TcmuDevice, configfs: ConfigfsDevice, reloader: Reloader) {
    this.#device = device;
    this.#tcmu = tcmu;
    this.#configfs = configfs;
    this.#reloader = reloader;
    device.start();
  }

  get name(): string {
    return this.#device.name;
  }

  get unit(): LogicalUnit {
    return this.#device.unit;
  }

  get tcmu(): TcmuDevice {
    return this.#tcmu;
  }

  get size(): number {
    return this.#device.disk.size;
  }

  get isBroken(): boolean {
    return this.#device.state === 'broken';
  }

  get holdsData(): boolean {
    return this.#device.disk.handOver !== undefined;
  }

  get served(): ServedDevice {
    return { device: this.#device, tcmu: this.#tcmu, configfs: this.#configfs };
  }

  get #control(): LocalDevice {
    return new LocalDevice(this.#device, this.#tcmu);
  }

  details(): DeviceDetails {
    return { ...this.#control.details(), isolation: 'none', pid: process.pid, restarts: 0 };
  }

  statistics(): DeviceStatisticsReport {
    return this.#control.statistics();
  }

  pause(): Promise<void> {
    return this.#device.quiesce();
  }

  resume(): void {
    this.#device.resume();
  }

  trace(listener: TraceListener): () => void {
    return this.#device.trace(listener);
  }

  resize(size: number): Promise<void> {
    return this.#device.resize(size);
  }

  async setWriteCache(enabled: boolean): Promise<void> {
    await Promise.resolve(this.#device.unit.setWriteCache(enabled));
  }

  async reconfigure(devConfig: string): Promise<void> {
    this.#tcmu = await this.#reloader.reconfigure(this.served, devConfig);
  }

  reload(options?: ReplaceOptions): Promise<void> {
    return this.#reloader.reload(this.served, options);
  }

  reloadModule(origin: string, options?: ReplaceOptions): Promise<ReloadOutcome[]> {
    return this.#reloader.reloadModule(origin, [this.served], options);
  }

  setLogLevel(): void {
    // Its log is the daemon's own.
  }

  async release(drainTimeout = 10_000): Promise<number> {
    await this.#device.flush(drainTimeout);
    const since = performance.timeOrigin + performance.now();
    await this.#device.close(drainTimeout);
    return since;
  }

  close(drainTimeout?: number): Promise<void> {
    return this.#device.close(drainTimeout);
  }
}
