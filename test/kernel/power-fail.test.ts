import { expect } from 'chai';
import { randomBytes, randomInt } from 'node:crypto';
import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { LoggedDisk, type LogEntry } from './support/logged-disk.js';
import { LoopbackLun } from './support/lun.js';
import { useLunette } from './support/lunette.js';
import { bash } from './support/run.js';

/** How many power failures are looked at; LUNETTE_POWER_FAILS=500 for a run that counts. */
const failures = Number(process.env.LUNETTE_POWER_FAILS ?? 16);
const files = 40;
const mib = 2 ** 20;

const mount = '/mnt/power';
/** Of the file system that the image lies on. */
const outer = '/mnt/power-outer';

interface Setting {
  readonly what: string;
  readonly size: number;
  /** Make the file handler's file. @returns its path */
  prepare(disk: LoggedDisk): Promise<string>;
  cleanUp(): Promise<unknown>;
  /** Mount what is in `image` at `mount`, have the journals replayed. */
  readonly mount: (image: string) => string;
  readonly unmount: (image: string) => string;
}

const settings: Setting[] = [
  {
    what: 'a block device',
    size: 64 * mib,
    prepare: (disk) => Promise.resolve(disk.path),
    cleanUp: () => Promise.resolve(),
    mount: (image) => `mount -o loop ${image} ${mount}`,
    unmount: (image) => `umount ${mount}; e2fsck -fn ${image}`,
  },
  {
    what: 'an image on a file system',
    size: 128 * mib,
    async prepare(disk) {
      await bash(`mkdir -p ${outer}; mkfs.ext4 -q ${disk.path}; mount ${disk.path} ${outer}`);
      return `${outer}/disk.img`;
    },
    cleanUp: () => bash(`umount ${outer}`),
    mount: (image) => `mount -o loop ${image} ${outer}; mount -o loop ${outer}/disk.img ${mount}`,
    unmount: (image) => `umount ${mount}; e2fsck -fn ${outer}/disk.img; umount ${outer}; e2fsck -fn ${image}`,
  },
];

/** Write a file and have it stable. */
function writeStable(path: string, bytes: Uint8Array): void {
  const fd = openSync(path, 'wx');
  writeSync(fd, bytes);
  fsyncSync(fd);
  closeSync(fd);
  sync(mount);
}

function sync(directory: string): void {
  const fd = openSync(directory, 'r');
  fsyncSync(fd);
  closeSync(fd);
}

/** Names of files that are stable, and not removed, where the log ends after `entries`. */
function promised(entries: readonly LogEntry[]): Set<string> {
  const names = new Set<string>();
  for (const { mark } of entries) {
    const [what, name] = mark?.split(':') ?? [];
    if (what === 'written') names.add(name);
    else if (what === 'removing') names.delete(name);
  }
  return names;
}

describe('a power failure under the file handler', () => {
  const lunette = useLunette();

  for (const setting of settings) {
    it(`loses nothing that was synchronised: ${setting.what}, ${failures} times`, async () => {
      mkdirSync(mount, { recursive: true });
      const disk = await LoggedDisk.create('power', setting.size);
      const path = await setting.prepare(disk);
      const lun = await LoopbackLun.create({
        backstore: 'user:file',
        size: '64M',
        cfgstring: path.startsWith('/dev') ? path : `${path}?create=1`,
      });
      await bash(
        `mkfs.ext4 -q ${lun.path}; mount ${lun.path} ${mount}; sync; blockdev --flushbufs ${lun.path}`,
      );
      const contents = new Map<string, Uint8Array>();
      await disk.mark('ready');
      for (let count = 0; count < files; count++) {
        const name = `file${count}`;
        const bytes = randomBytes(randomInt(1, 256 * 1024));
        contents.set(name, bytes);
        writeStable(`${mount}/${name}`, bytes);
        await disk.mark(`written:${name}`);
        if (count % 3 === 2) {
          const old = `file${randomInt(0, count)}`;
          await disk.mark(`removing:${old}`);
          rmSync(`${mount}/${old}`, { force: true });
        }
        // Of no consequence, and in nobody's way.
        await bash(`head -c 128K /dev/urandom >${mount}/loose${count % 4}`);
      }
      await bash(`umount ${mount}`);
      await lun.remove();
      await setting.cleanUp();
      await disk.remove();

      const entries = disk.entries();
      const ready = entries.findIndex(({ mark }) => mark === 'ready');
      const flushes = entries.flatMap(({ flushes }, index) => (flushes && index > ready ? [index + 1] : []));
      const moments = Array.from({ length: failures }, (_, count) =>
        count % 2 === 0 ? flushes[randomInt(flushes.length)] : randomInt(ready + 1, entries.length + 1),
      ).sort((a, b) => a - b);
      const replay = disk.replay(entries);
      const image = '/dev/shm/failed.img';
      let compared = 0;
      for (const moment of moments) {
        await replay.failAfter(moment, image);
        await bash(setting.mount(image));
        try {
          for (const name of promised(entries.slice(0, moment))) {
            const same = readFileSync(`${mount}/${name}`).equals(contents.get(name) ?? Buffer.alloc(0));
            expect(same, `${name} after ${moment} of ${entries.length} entries`).to.equal(true);
            compared++;
          }
        } finally {
          await bash(setting.unmount(image));
        }
      }
      const figures = {
        on: setting.what,
        entries: entries.length,
        flushes: flushes.length,
        failures,
        compared,
      };
      process.stdout.write(`${JSON.stringify(figures)}\n`);
      expect(compared).to.be.above(failures);
      expect(flushes.length).to.be.above(files);
      await bash(`rm ${image} /dev/shm/replayed.img`);
    }).timeout(240_000 + failures * 5000);
  }

  lunette.endsQuietly();
});
