import type { Background } from './background.js';
import type { CommandSet } from './command-set.js';
import type { Disk } from './disk.js';
import type { Medium } from './medium.js';
import type { ModePages } from './mode-pages.js';
import type { RangeLock } from './range-lock.js';
import type { Reservations } from './reservations.js';
import type { ProvisioningThresholds } from './provisioning-threshold.js';
import type { Statistics } from './statistics.js';
import type { TargetPortGroups } from './target-port-groups.js';
import type { TaskSet } from './task-set.js';
import type { ThirdPartyCopy } from './third-party-copy.js';
import type { UnitAttentions } from './unit-attention.js';

/** What INQUIRY says about a logical unit. */
export interface UnitIdentity {
  /** At most 8 ASCII characters. */
  readonly vendor: string;
  /** At most 16. */
  readonly product: string;
  /** At most 4. */
  readonly revision: string;
  /** Unit serial number; asked for at each INQUIRY, because LIO's is set after the unit was made. */
  serial(): string;
}

/** Limits of one command, in logical blocks unless said otherwise. For VPD page B0h; each is enforced. */
export interface UnitLimits {
  /** READ, WRITE, VERIFY. */
  readonly maxTransferBlocks: number;
  readonly maxUnmapBlocks: number;
  /** Block descriptors in one UNMAP. */
  readonly maxUnmapDescriptors: number;
  readonly maxWriteSameBlocks: number;
  /** WRITE SAME of 0 blocks goes on to the end of the medium (WSNZ is 0); else it is refused. */
  readonly writeSameToEnd: boolean;
  /** COMPARE AND WRITE: at most 255. */
  readonly maxCompareAndWriteBlocks: number;
}

/** A logical unit, as the commands see it. */
export interface Unit {
  readonly disk: Disk;
  /** Logical block length in bytes. */
  readonly blockSize: number;
  /** Capacity in logical blocks. */
  readonly blocks: number;
  readonly identity: UnitIdentity;
  readonly limits: UnitLimits;
  readonly modes: ModePages;
  readonly attentions: UnitAttentions;
  readonly locks: RangeLock;
  readonly commands: CommandSet;
  readonly reservations: Reservations;
  /** Commands that have not ended. */
  readonly tasks: TaskSet;
  /** FORMAT UNIT, SANITIZE and flushes that go on after their command was answered. */
  readonly background: Background;
  /** Lets others have their turn between the pieces of an operation in the background. */
  pause(): void | Promise<void>;
  readonly medium: Medium;
  readonly copy: ThirdPartyCopy;
  readonly statistics: Statistics;
  /** The target's ports, where it tells about them and their access states. */
  readonly portGroups: TargetPortGroups | undefined;
  /** Where the disk is thin provisioned and reports its usage. */
  readonly thresholds: ProvisioningThresholds | undefined;
}

/** Whether `write` may return before the data is stable. */
export function hasWriteCache(disk: Disk): boolean {
  return disk.writeCache ?? disk.flush !== undefined;
}

export function isReadOnly(disk: Disk): boolean {
  return disk.readOnly === true || disk.write === undefined;
}

/** Physical blocks as a power of two of logical blocks. */
export function physicalBlockExponent(disk: Disk, blockSize: number): number {
  const physical = disk.physicalBlockSize ?? blockSize;
  return Math.max(0, Math.min(15, Math.floor(Math.log2(physical / blockSize))));
}
