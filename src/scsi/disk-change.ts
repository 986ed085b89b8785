import type { CommandSet } from './command-set.js';
import type { Disk } from './disk.js';
import { additionalSense } from './sense.js';
import { hasWriteCache, isReadOnly, physicalBlockExponent } from './unit.js';

/** What INQUIRY and its VPD pages tell of a disk. */
function inquiryData(disk: Disk, commands: CommandSet): unknown[] {
  return [
    commands.definitions.map(({ name }) => name).join(),
    disk.minimumIoSize,
    disk.optimalIoSize,
    disk.physicalBlockSize,
    disk.unmapGranularity,
    disk.unmapReadsZeroes,
    disk.atomicWriteSize,
    disk.rotational ?? false,
    disk.unmap !== undefined,
    disk.cryptoErase !== undefined,
    hasWriteCache(disk),
  ];
}

/** What READ CAPACITY tells besides the capacity. */
function capacityData(disk: Disk, blockSize: number): unknown[] {
  return [physicalBlockExponent(disk, blockSize), disk.unmap !== undefined, disk.unmapReadsZeroes];
}

/** What the mode parameter header and the caching page tell. */
function modeData(disk: Disk): unknown[] {
  return [isReadOnly(disk), hasWriteCache(disk)];
}

const differs = (before: unknown[], after: unknown[]): boolean =>
  before.some((value, index) => value !== after[index]);

/** A disk and the commands a logical unit has with it. */
export interface DiskState {
  readonly disk: Disk;
  readonly commands: CommandSet;
  /** The capacity that initiators were told, in bytes. */
  readonly size: number;
}

/**
 * The unit attention conditions that tell initiators of another disk behind the same logical unit; none where they
 * could not see a difference.
 * @param blockSize logical block length in bytes
 * @returns `asc << 8 | ascq` each
 */
export function attentionsOfChange(before: DiskState, after: DiskState, blockSize: number): number[] {
  const codes: number[] = [];
  if (differs(inquiryData(before.disk, before.commands), inquiryData(after.disk, after.commands))) {
    codes.push(additionalSense.inquiryDataHasChanged);
  }
  if (differs(modeData(before.disk), modeData(after.disk))) codes.push(additionalSense.modeParametersChanged);
  if (
    before.size !== after.size ||
    differs(capacityData(before.disk, blockSize), capacityData(after.disk, blockSize))
  ) {
    codes.push(additionalSense.capacityDataHasChanged);
  }
  return codes;
}
