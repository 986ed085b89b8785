import { statfsSync, statSync } from 'node:fs';

/**
 * Where a file's pages are: always in `memory`; in the page cache over a `local` device; `unknown` where a server or
 * another process may have to be asked for them.
 */
export type Residence = 'memory' | 'local' | 'unknown';

/** File systems by their numbers in linux/magic.h. */
const residences = new Map<number, Residence>([
  [0x01021994, 'memory'], // tmpfs
  [0x858458f6, 'memory'], // ramfs
  [0xef53, 'local'], // ext2, ext3, ext4
  [0x58465342, 'local'], // XFS
  [0x9123683e, 'local'], // Btrfs
  [0xf2f52010, 'local'], // F2FS
]);

/** @param path of a file, or of a block device: what lies under that device is not looked at */
export function residenceOf(path: string): Residence {
  try {
    if (statSync(path).isBlockDevice()) return 'local';
    return residences.get(statfsSync(path).type) ?? 'unknown';
  } catch {
    return 'unknown';
  }
}
