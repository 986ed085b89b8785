import { expect } from 'chai';
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { Daemon } from './support/daemon.js';
import { fileDisk } from './support/disks.js';
import type { LoopbackLun } from './support/lun.js';
import { useLunette } from './support/lunette.js';
import { bash, run } from './support/run.js';

/** Times the daemon is killed with the default isolation. */
const kills = Number(process.env.LUNETTE_KILLS ?? 20);

/** With the isolations that are not the default. */
const shortly = Math.min(kills, 5);

const mount = '/mnt/crash';
const stop = '/tmp/stop';

interface FioResult {
  readonly jobs: readonly {
    readonly error: number;
    readonly total_err?: number;
    readonly read: Direction;
    readonly write: Direction;
  }[];
}

interface Direction {
  readonly total_ios: number;
  readonly clat_ns: { readonly max: number };
}

interface Load {
  /** Reads and writes that fio has seen the end of. */
  commands: number;
  /** The longest that one of them took, in milliseconds. */
  stall: number;
  passes: number;
}

/** Reads and writes at random, 32 at a time, then everything read and compared; again and again until told to stop. */
async function fioUntilStopped(lun: LoopbackLun): Promise<Load> {
  const load: Load = { commands: 0, stall: 0, passes: 0 };
  while (!existsSync(stop)) {
    const { stdout } = await run(
      'fio',
      [
        '--name=crash',
        `--filename=${lun.path}`,
        '--direct=1',
        '--ioengine=libaio',
        '--iodepth=32',
        '--rw=randrw',
        '--bsrange=512-64k',
        '--size=48M',
        '--verify=crc32c',
        '--do_verify=1',
        '--verify_fatal=1',
        `--randseed=${load.passes + 1}`,
        '--output-format=json',
      ],
      { timeout: 170_000 },
    );
    const { jobs } = JSON.parse(stdout.slice(stdout.indexOf('{'))) as FioResult;
    for (const { error, read, write } of jobs) {
      expect(error, 'errors that fio saw').to.equal(0);
      load.commands += read.total_ios + write.total_ios;
      load.stall = Math.max(load.stall, read.clat_ns.max / 1e6, write.clat_ns.max / 1e6);
    }
    load.passes++;
  }
  return load;
}

/** Copies of a file that are made on a file system, synchronised, compared and deleted. */
async function copyUntilStopped(kills: number): Promise<number> {
  const { stdout } = await bash(
    `
    count=0
    while [ ! -e ${stop} ]; do
      count=$((count + 1))
      cp /tmp/pattern ${mount}/copy$((count % 3))
      sync ${mount}/copy$((count % 3))
      cmp /tmp/pattern ${mount}/copy$((count % 3))
      sleep 0.2
    done
    echo $count`,
    { timeout: 60_000 * (2 + kills) },
  );
  return Number(stdout);
}

function survives(isolation: string, kills: number): void {
  const args = ['--isolate', isolation];
  const lunette = useLunette({ args });
  let disk: LoopbackLun;
  let fileSystem: LoopbackLun;

  before(async () => {
    rmSync(stop, { force: true });
    disk = await fileDisk.create('64M');
    fileSystem = await fileDisk.create('128M');
    await bash(`head -c 8M /dev/urandom >/tmp/pattern
      mkfs.ext4 -q ${fileSystem.path}; mkdir -p ${mount}; mount ${fileSystem.path} ${mount}`);
  });

  after(async () => {
    await bash(`touch ${stop}; umount ${mount} || true; rm -f /tmp/pattern`);
  });

  it(`${kills} times, with kill -9 at random moments: no command is lost, and no initiator notices`, async () => {
    const fio = fioUntilStopped(disk);
    const copies = copyUntilStopped(kills);
    let over = false;
    const done = Promise.all([fio, copies]).finally(() => (over = true));
    done.catch(() => undefined);
    let resumed = 0;
    let slowest = 0;
    for (let count = 0; count < kills && !over; count++) {
      await sleep(Math.random() * 2000);
      lunette.daemon.signal('SIGKILL');
      expect(await lunette.daemon.exited).to.equal(137);
      const killed = Date.now();
      lunette.daemon = await Daemon.start(args);
      slowest = Math.max(slowest, Date.now() - killed);
      for (const { msg } of lunette.daemon.log) {
        resumed += Number(/going on with (\d+) unfinished commands/.exec(msg)?.[1] ?? 0);
        expect(msg).not.to.match(/the ring was reset|a crash of the daemon would lose commands/);
      }
      expect(lunette.daemon.complaints()).to.deep.equal([]);
    }
    await sleep(500);
    writeFileSync(stop, '');
    const [load, copied] = await done;
    const figures = {
      isolation,
      kills,
      resumed,
      'longest restart, ms': slowest,
      'longest command, ms': Math.round(load.stall),
      'fio passes': load.passes,
      'fio commands': load.commands,
      'copies on ext4': copied,
    };
    process.stdout.write(`${JSON.stringify(figures)}\n`);
    writeFileSync(`/lab/logs/crash-${isolation}.json`, JSON.stringify(figures));
    expect(resumed).to.be.above(kills);
    expect(load.passes).to.be.above(0);
    expect(copied).to.be.above(0);
  }).timeout(60_000 * (3 + kills));

  it('leaves the file system and its files whole', async () => {
    await bash(`umount ${mount}; echo 3 >/proc/sys/vm/drop_caches
      e2fsck -fn ${fileSystem.path}
      mount ${fileSystem.path} ${mount}`);
    const { stdout } = await bash(`for file in ${mount}/copy*; do cmp /tmp/pattern $file && echo same; done`);
    expect(stdout.trim().split('\n')).to.satisfy((lines: string[]) => lines.every((line) => line === 'same'));
    await bash(`umount ${mount}`);
  });

  it('keeps a journal for each device, which goes with the device', async () => {
    const journal = `/run/lunette/${disk.configfs.split('/').slice(-2).join('.')}.journal`;
    expect(existsSync(journal)).to.equal(true);
    await disk.remove();
    expect(existsSync(journal)).to.equal(false);
    await fileSystem.remove();
  });

  lunette.endsQuietly();
}

describe('a daemon killed under load, each device in a thread', () => survives('thread', kills));

describe('a daemon killed under load, each device in a process', () => survives('process', shortly));

describe('a daemon killed under load, all devices in its own thread', () => survives('none', shortly));

describe('a journal that is gone', () => {
  const lunette = useLunette({ expectedErrors: /the ring was reset/ });

  it('has the ring reset, says so, and initiators send again what was on it', async () => {
    const disk = await fileDisk.create('64M');
    await bash(`head -c 32M /dev/urandom >/tmp/pattern
      dd if=/tmp/pattern of=${disk.path} bs=1M oflag=direct status=none`);
    const load = run('dd', [`if=${disk.path}`, 'of=/tmp/read', 'bs=64k', 'count=512', 'iflag=direct']);
    await sleep(100);
    lunette.daemon.signal('SIGKILL');
    await lunette.daemon.exited;
    const folder = '/run/lunette';
    await bash(`rm ${folder}/*.journal`);
    const waiting = run('cmp', ['-n', '1M', '/tmp/pattern', disk.path]);
    await sleep(500);
    lunette.daemon = await Daemon.start();
    await lunette.daemon.logged('the reset', /the ring was reset, .*: there is no journal/);
    await load;
    await waiting;
    await bash('cmp /tmp/pattern /tmp/read; rm /tmp/pattern /tmp/read');
    await disk.remove();
  });

  lunette.endsQuietly();
});
