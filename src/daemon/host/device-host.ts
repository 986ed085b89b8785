import type { ReplaceOptions } from '../../device/reload.js';
import type { LogicalUnit } from '../../scsi/logical-unit.js';
import type { TcmuDevice } from '../../target/uio.js';
import type { LogLevelName } from '../control/schema.js';
import type { ControlDevice } from '../control/target.js';
import type { ReloadOutcome } from '../reload.js';
import type { Isolation } from '../../handlers/isolation.js';

/** One served device as the daemon sees it, wherever it is served. */
export interface DeviceHost extends ControlDevice {
  readonly isolation: Isolation;
  /** The logical unit, where it is served in this thread. */
  readonly unit?: LogicalUnit;
  /** With the configuration it has now. */
  readonly tcmu: TcmuDevice;
  /** The disk's capacity in bytes, as it was told last. */
  readonly size: number;
  /** The ring is not served any more, and will not be. */
  readonly isBroken: boolean;
  /** The data is in the memory of whoever serves the device, and goes with it. */
  readonly holdsData: boolean;
  /** @param size bytes @throws Error where the handler cannot */
  resize(size: number): Promise<void>;
  setWriteCache(enabled: boolean): Promise<void>;
  /**
   * Another dev_config. Nothing has changed where it throws.
   * @throws Error whose code is an errno's name
   */
  reconfigure(devConfig: string): Promise<void>;
  /** Load the code of the handler anew. @throws Error that says why the old code serves on */
  reload(options?: ReplaceOptions): Promise<void>;
  /** The same for one whose code comes from the module `origin`; no outcome for any other. */
  reloadModule(origin: string, options?: ReplaceOptions): Promise<ReloadOutcome[]>;
  setLogLevel(level: LogLevelName): void;
  /**
   * Drain and close the device, so that others may open it, and have its commands wait as shortly as can be. What
   * served it may still be there; close() ends it. Never rejects.
   * @param drainTimeout milliseconds
   * @returns when commands began to wait, in milliseconds since the epoch
   */
  release(drainTimeout?: number): Promise<number>;
  /** Drain and close the device; what served it is gone. Idempotent; never rejects. @param drainTimeout milliseconds */
  close(drainTimeout?: number): Promise<void>;
}
