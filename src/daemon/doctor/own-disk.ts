import { statSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { realpathSync } from 'node:fs';
import type { Check, Finding } from './finding.js';
import type { Host } from './host.js';
import { disksOf } from './local-disks.js';
import { titleOf, type Process } from './processes.js';

/** Linux's makedev(3). */
function deviceNumber(dev: number): string {
  const low = dev >>> 0;
  const high = Math.floor(dev / 2 ** 32);
  return `${((low >>> 8) & 0xfff) | (high & 0xfffff000)}:${(low & 0xff) | ((low >>> 12) & 0xffffff00)}`;
}

/** The block device with that number: `sda1`. */
function blockName(host: Host, number: string): string | undefined {
  const target = host.link(`sys/dev/block/${number}`);
  return target === undefined ? undefined : basename(target);
}

/** What a file system without a device of its own (btrfs, say) was mounted from: proc_pid_mountinfo(5). */
function mountSource(host: Host, pid: number, number: string): string | undefined {
  for (const line of (host.read(`proc/${pid}/mountinfo`) ?? '').split('\n')) {
    const [before, after] = line.split(' - ');
    const source = after?.split(' ')[1];
    if (before.split(' ')[2] === number && source?.startsWith('/dev/')) return source;
  }
  return undefined;
}

function realName(host: Host, path: string): string {
  try {
    return basename(realpathSync(host.path(path)));
  } catch {
    return basename(path);
  }
}

/** The block device on which a file lies, or that it is. */
function blockUnder(host: Host, pid: number, path: string): string | undefined {
  try {
    const file = statSync(path);
    if (file.isBlockDevice()) return blockName(host, deviceNumber(file.rdev));
    if (!file.isFile()) return undefined;
    const number = deviceNumber(file.dev);
    const name = blockName(host, number);
    if (name !== undefined) return name;
    const source = mountSource(host, pid, number);
    return source === undefined ? undefined : realName(host, source);
  } catch {
    return undefined;
  }
}

/** A block device and all that it stands on: the whole disk, members of RAID and LVM, a loop device's file's disk. */
function foundations(host: Host, pid: number, block: string, found = new Set<string>()): Set<string> {
  if (found.has(block)) return found;
  found.add(block);
  const folder = `sys/class/block/${block}`;
  const below = host.list(`${folder}/slaves`);
  if (host.read(`${folder}/partition`) !== undefined) {
    below.push(basename(dirname(realpathSync(host.path(folder)))));
  }
  const backing = host.read(`${folder}/loop/backing_file`);
  const file = backing === undefined ? undefined : blockUnder(host, pid, backing);
  if (file !== undefined) below.push(file);
  for (const name of below) foundations(host, pid, name, found);
  return found;
}

/** The files a process has open, and the disks they lie on. */
function* openFiles(host: Host, { pid }: Process): Generator<{ path: string; disks: Set<string> }> {
  for (const fd of host.list(`proc/${pid}/fd`)) {
    const path = host.link(`proc/${pid}/fd/${fd}`);
    if (path === undefined || !path.startsWith('/') || /^\/dev\/uio/.test(path)) continue;
    const block = blockUnder(host, pid, host.path(`proc/${pid}/fd/${fd}`));
    if (block !== undefined) yield { path, disks: foundations(host, pid, block) };
  }
}

const WHY =
  'when memory is short, writing to that disk needs the daemon, and the daemon needs memory that only writing to that ' +
  'disk can free: both then wait for ever';

export const ownDisk: Check = {
  id: 'own-disk',
  readsConfigfs: true,
  find(host) {
    const served = host.devices().flatMap((device) =>
      device.openers.flatMap((daemon) =>
        disksOf(host, device)
          .map(({ block }) => ({ device, pid: daemon.pid, block }))
          .filter(({ block }) => block !== undefined),
      ),
    );
    if (served.length === 0) return [];
    const findings: Finding[] = [];
    for (const daemon of host.daemons()) {
      for (const { path, disks } of openFiles(host, daemon)) {
        const own = served.find(
          ({ pid, block }) => pid === daemon.pid && block !== undefined && disks.has(block),
        );
        if (!own) continue;
        findings.push({
          id: 'own-disk',
          subject: path,
          what: `${path}, which ${titleOf(daemon)} has open, lies on /dev/${own.block}, which is its own ${own.device.title}`,
          why: WHY,
          advice:
            'move the file to a disk that no TCMU daemon of this machine serves, or serve one of the two from a daemon on ' +
            'another machine',
        });
      }
    }
    for (const line of (host.read('proc/swaps') ?? '').split('\n').slice(1)) {
      const path = line.split(/\s+/, 1)[0];
      const block = path.startsWith('/dev/') ? realName(host, path) : blockUnder(host, 1, host.path(path));
      const disks = block === undefined ? undefined : foundations(host, 1, block);
      const own = served.find((disk) => disk.block !== undefined && disks?.has(disk.block));
      if (!own) continue;
      findings.push({
        id: 'own-disk',
        subject: path,
        what: `the swap space ${path} lies on /dev/${own.block}, which is ${own.device.title}`,
        why: WHY,
        fix: { command: `swapoff ${path}`, safe: false },
        advice: 'there must be memory for what is swapped out',
      });
    }
    return findings;
  },
};
