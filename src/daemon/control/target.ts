import type { TraceBatch } from '../../device/command-trace.js';
import type { DeviceDetails, DeviceStatisticsReport, LogLevelName } from './schema.js';

/**
 * One device as the control socket sees it, whichever host it lives in: hence the promises.
 */
export interface ControlDevice {
  /** HBA/NAME. */
  readonly name: string;
  details(): DeviceDetails | Promise<DeviceDetails>;
  statistics(): DeviceStatisticsReport | Promise<DeviceStatisticsReport>;
  /** Take no more commands; fulfilled when those taken are answered. */
  pause(): Promise<void>;
  resume(): void | Promise<void>;
  /** @returns call it to hear no more */
  trace(listener: (batch: TraceBatch) => void): () => void;
}

/** What the control socket controls: the daemon. */
export interface ControlTarget {
  /** Of the package. */
  readonly version: string;
  logLevel: LogLevelName;
  /** The devices that are served now. */
  devices(): readonly ControlDevice[];
  /**
   * Load the code of a device's handler anew.
   * @param name one of `devices()`
   * @throws Error that says why it cannot be; the old code goes on serving
   */
  reload?(name: string): Promise<void>;
}
