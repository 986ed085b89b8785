import { native } from '../../native/addon.js';
import type { Done } from '../contract.js';
import { RawDisk, isUnsupported } from './raw-disk.js';

/** A disk that is a block device of the host. */
export class BlockDeviceDisk extends RawDisk {
  /** BLKDISCARD promises nothing about what is read afterwards. */
  readonly unmapReadsZeroes = false;

  unmap(offset: number, length: number): void {
    try {
      native().discardBlocks(this.fd, offset, length);
    } catch (error) {
      // A device that cannot discard keeps the data, as it may.
      if (!isUnsupported(error)) throw error;
    }
  }

  /** BLKZEROOUT keeps the blocks allocated; punching a hole zeroes them by unmapping, where the device can. */
  writeZeroes(offset: number, length: number, mayUnmap: boolean): Done {
    if (mayUnmap) {
      try {
        native().punchHole(this.fd, offset, length);
        return;
      } catch (error) {
        if (!isUnsupported(error)) throw error;
      }
    }
    native().zeroBlocks(this.fd, offset, length);
  }

  // eslint-disable-next-line @typescript-eslint/require-await -- a promise, as for a file
  protected override async makeRoom(size: number): Promise<void> {
    const present = native().blockDeviceSize(this.fd);
    if (size > present) throw new RangeError(`${this.image.path} has ${present} bytes: ${size} do not fit`);
  }
}
