import type { Device } from '../../device/device.js';
import type { TcmuDevice } from '../../target/uio.js';
import type { TraceBatch } from '../../device/command-trace.js';
import type { DeviceDetails, DeviceStatisticsReport } from './schema.js';
import type { ControlDevice } from './target.js';

/** A device of this process, as the control socket sees it. */
export class LocalDevice implements ControlDevice {
  readonly #device: Device;
  readonly #tcmu: Pick<TcmuDevice, 'subtype' | 'devConfig' | 'devicePath'>;

  constructor(device: Device, tcmu: Pick<TcmuDevice, 'subtype' | 'devConfig' | 'devicePath'>) {
    this.#device = device;
    this.#tcmu = tcmu;
  }

  get name(): string {
    return this.#device.name;
  }

  details(): DeviceDetails {
    const { name, state, disk, unit, inFlight, commandTimeout } = this.#device;
    const { subtype, devConfig, devicePath } = this.#tcmu;
    const { vendor, product, revision } = unit.identity;
    return {
      name,
      state,
      transport: 'tcmu',
      handler: subtype,
      size: disk.size,
      inFlight,
      config: devConfig,
      path: devicePath,
      blockSize: unit.blockSize,
      readOnly: disk.readOnly ?? false,
      thin: disk.unmap !== undefined,
      vendor,
      product,
      revision,
      serial: unit.identity.serial(),
      commandTimeout,
    };
  }

  statistics(): DeviceStatisticsReport {
    const { name, inFlight, statistics } = this.#device;
    const counters = statistics.snapshot();
    return {
      name,
      inFlight,
      ...counters,
      senseKeys: [...counters.senseKeys],
      latency: { ...counters.latency, buckets: [...counters.latency.buckets] },
    };
  }

  pause(): Promise<void> {
    return this.#device.quiesce();
  }

  resume(): void {
    this.#device.resume();
  }

  trace(listener: (batch: TraceBatch) => void): () => void {
    return this.#device.trace(listener);
  }
}
