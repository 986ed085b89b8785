import type { Disk } from './disk.js';
import type { UnitLimits } from './unit.js';

const MIB = 1024 * 1024;

/**
 * The limits of a logical unit: those given, and for the others what suits the disk.
 * @param blockSize logical block length in bytes
 */
export function unitLimits(disk: Disk, blockSize: number, given: Partial<UnitLimits>): UnitLimits {
  const zeroesItself = disk.writeZeroes !== undefined || disk.unmap !== undefined;
  return {
    maxTransferBlocks: given.maxTransferBlocks ?? (8 * MIB) / blockSize,
    maxUnmapBlocks: given.maxUnmapBlocks ?? Math.min(2 ** 20, (4096 * MIB) / blockSize),
    maxUnmapDescriptors: given.maxUnmapDescriptors ?? 256,
    // At most what WRITE SAME(10) can ask for: some initiators write as much by WRITE, to have something to erase.
    maxWriteSameBlocks:
      given.maxWriteSameBlocks ?? Math.min(0xffff, ((zeroesItself ? 1024 : 32) * MIB) / blockSize),
    writeSameToEnd: given.writeSameToEnd ?? false,
    // The field of the CDB has one byte.
    maxCompareAndWriteBlocks: Math.min(255, given.maxCompareAndWriteBlocks ?? MIB / blockSize),
  };
}
