import { native } from '../../native/addon.js';
import type { Done, Extent } from '../contract.js';
import { appendExtent } from '../extents.js';
import { RawDisk, isUnsupported } from './raw-disk.js';

/** How many extents one call of `extents` looks for: a bound to the time it takes. */
const MOST_EXTENTS = 1024;

/** A disk in a regular file. */
export class RegularFileDisk extends RawDisk {
  unmap(offset: number, length: number): Done {
    return this.#zero('punchHole', offset, length);
  }

  writeZeroes(offset: number, length: number, mayUnmap: boolean): Done {
    return this.#zero(mayUnmap ? 'punchHole' : 'zeroRange', offset, length);
  }

  #zero(way: 'punchHole' | 'zeroRange', offset: number, length: number): Done {
    try {
      native()[way](this.fd, offset, length);
    } catch (error) {
      if (!isUnsupported(error)) throw error;
      return this.writeZeroBytes(offset, length);
    }
  }

  /** By SEEK_DATA and SEEK_HOLE; a file system's blocks may be shorter than the disk's, which then are data. */
  extents(offset: number, length: number): Extent[] {
    const binding = native();
    const end = offset + length;
    const found = (position: number): number => (position < 0 ? end : Math.min(position, end));
    const extents: Extent[] = [];
    for (let at = offset; at < end && extents.length < MOST_EXTENTS;) {
      const data = found(binding.seek(this.fd, at, 'data'));
      const start = Math.max(at, data - (data % this.blockSize));
      appendExtent(extents, at, start - at, true);
      if (start === end) break;
      const hole = found(binding.seek(this.fd, data, 'hole'));
      const stop = Math.min(end, Math.ceil(hole / this.blockSize) * this.blockSize);
      appendExtent(extents, start, stop - start, false);
      at = stop;
    }
    return extents;
  }

  protected override async makeRoom(size: number): Promise<void> {
    const { handle, path, readOnly } = this.image;
    const { size: present } = await handle.stat();
    if (size <= present) return;
    if (readOnly)
      throw new Error(`${path} has ${present} bytes and is opened read-only: it cannot grow to ${size}`);
    await handle.truncate(size);
  }
}
