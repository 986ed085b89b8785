import type { Disk, HandlerLog } from '../handlers/contract.js';
import type { Journal } from '../ring/journal.js';
import type { RingError } from '../ring/ring-error.js';
import type { RingGroup } from '../ring/ring-group.js';
import type { RingRegion } from '../ring/region.js';
import type { LogicalUnitOptions } from '../scsi/logical-unit-options.js';
import type { TimeoutPolicy } from './command-budget.js';
import type { DiskOpener } from './disk-opener.js';
import type { LoopMarks } from './loop-marks.js';

export interface DeviceOptions {
  /** Names the device in logs: `user_0/disk1`. */
  readonly name: string;
  readonly region: RingRegion;
  /** The rings of the same thread, which share their wake-ups. Default: this one shares with none. */
  readonly rings?: RingGroup;
  readonly disk: Disk;
  /** Opens `disk` again, should another that was to replace it fail to open. */
  readonly reopen?: DiskOpener;
  readonly log: HandlerLog;
  /** Identity and limits of the logical unit. */
  readonly unit?: LogicalUnitOptions;
  /** Milliseconds a command may take before it is aborted and answered; 0 waits for ever. Default 25 000. */
  readonly commandTimeout?: number;
  /** What becomes of it then. Default `fail`. */
  readonly onTimeout?: TimeoutPolicy;
  /** Start what serves the device anew (policy `restart`); without it such a command is answered for. */
  readonly restart?: (reason: string) => void;
  /** Know where verbs wait, to report those that take too long with their stack. Default false: it costs time. */
  readonly traceVerbs?: boolean;
  /** Told which command is being run, to name what blocks the event loop. */
  readonly loopMarks?: LoopMarks;
  /** Give the handler private copies of all data, so that a late use of a buffer fails at once. */
  readonly checkedBuffers?: boolean;
  /** Release a buffer kept past its command's completion (configfs action/free_kept_buf). */
  readonly freeKeptBuffer?: (commandId: number) => void;
  /** Whether the kernel has removed the device: nothing can be waited for any more then, and that is no fault. */
  readonly isRemoved?: () => boolean;
  /** The ring cannot be trusted any more; the device serves nothing until it is opened anew. */
  readonly onBroken?: (error: RingError) => void;
  /** It will not be asked for anything that concerns the kernel any more. */
  readonly onClosed?: () => void;
  /** Lets a later process go on with the commands that this one leaves unfinished when it dies. */
  readonly journal?: DeviceJournal;
}

export interface DeviceJournal {
  readonly journal: Journal;
  /** Empty the ring: initiators send again what was on it (configfs action/reset_ring). */
  readonly resetRing: () => void;
  /** Unmap it. */
  readonly close: () => void;
}
