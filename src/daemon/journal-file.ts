import { mkdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { DeviceJournal } from '../device/device-options.js';
import { native } from '../native/addon.js';
import { mailbox } from '../ring/abi.js';
import { JournalMemory } from '../ring/journal-memory.js';
import { Journal } from '../ring/journal.js';
import type { RingRegion } from '../ring/region.js';
import type { ConfigfsDevice } from '../target/configfs.js';
import type { TcmuDevice } from '../target/uio.js';

/** Where what must outlive the daemon, but not the boot, is kept. */
export const RUNTIME_DIRECTORY = '/run/lunette';

function journalPath(directory: string, { hba, name }: TcmuDevice): string {
  // A storage object's name is a directory's in configfs, and so has no slash.
  return join(directory, `${hba}.${name}.journal`);
}

/**
 * What the ring is, so that a journal is never used with another one: the boot, and the device since it was made.
 * The inode number of its directory in sysfs is not used again before the next boot.
 */
function identify(tcmu: TcmuDevice, sys: string): string {
  const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  const { ino } = statSync(join(sys, 'class/uio', tcmu.uio), { bigint: true });
  return `${boot} ${ino} ${tcmu.mapSize} ${tcmu.hba}/${tcmu.name}`;
}

/**
 * Open or create a device's journal.
 * @param directory made where it is not there
 * @returns undefined where the region has no ring, which the device will say
 */
export function openJournal(
  directory: string,
  tcmu: TcmuDevice,
  region: RingRegion,
  configfs: Pick<ConfigfsDevice, 'resetRing'>,
  sys = '/sys',
): DeviceJournal | undefined {
  const ringSize = new Uint32Array(region.buffer, 0, mailbox.size / 4)[mailbox.ringSize >> 2];
  if (ringSize === 0 || ringSize > region.buffer.byteLength) return undefined;
  mkdirSync(directory, { recursive: true, mode: 0o755 });
  const identity = identify(tcmu, sys);
  const path = journalPath(directory, tcmu);
  const file = new (native().MappedFile)(path, Journal.bytesFor(ringSize));
  return {
    journal: new Journal(new JournalMemory(file.buffer), ringSize, identity),
    resetRing: () => configfs.resetRing(1),
    close: () => file.close(),
  };
}

/** Of a device that is gone. */
export function removeJournal(directory: string, tcmu: TcmuDevice): void {
  rmSync(journalPath(directory, tcmu), { force: true });
}
