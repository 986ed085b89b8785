import { appendFileSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { ControlClient } from '../../src/client/client.js';
import { Daemon } from '../../test/kernel/support/daemon.js';
import { freshImage } from '../../test/kernel/support/disks.js';
import { LoopbackLun } from '../../test/kernel/support/lun.js';
import { bash, run } from '../../test/kernel/support/run.js';

/*
 * Runs in the guest: seven disks under a steady load, while the host of an eighth is left alone, and while it is
 * killed once a second, in turns. Each pass's latency goes to /lab/events as it comes.
 */

interface Setting {
  readonly isolation: string;
  readonly rounds: number;
  /** Seconds of each pass. */
  readonly seconds: number;
  /** Commands a second for each of the seven. */
  readonly rate: number;
}

interface FioReport {
  readonly jobs: readonly {
    readonly error: number;
    readonly read: {
      readonly iops: number;
      readonly clat_ns: { readonly percentile: Record<string, number> };
    };
  }[];
}

const mortalHandler = fileURLToPath(new URL('../../test/kernel/handlers/mortal.js', import.meta.url));

/** All disks as one group. @returns p99 in milliseconds, and how many commands there were a second */
async function load(
  luns: readonly LoopbackLun[],
  { seconds, rate }: Setting,
): Promise<{ p99: number; iops: number }> {
  const { stdout } = await run(
    'fio',
    [
      '--group_reporting',
      '--direct=1',
      '--ioengine=libaio',
      '--rw=randread',
      '--bs=4k',
      '--iodepth=1',
      '--time_based',
      '--ramp_time=2',
      `--runtime=${seconds}`,
      `--rate_iops=${rate}`,
      '--randrepeat=0',
      '--output-format=json',
      ...luns.flatMap((lun) => [`--name=${lun.name}`, `--filename=${lun.path}`]),
    ],
    { timeout: (seconds + 90) * 1000 },
  );
  const [job] = (JSON.parse(stdout.slice(stdout.indexOf('{'))) as FioReport).jobs;
  if (!job || job.error !== 0) throw new Error(`fio failed:\n${stdout}`);
  return { p99: job.read.clat_ns.percentile['99.000000'] / 1e6, iops: job.read.iops };
}

async function main(): Promise<void> {
  const setting = JSON.parse(process.argv[2] ?? '') as Setting;
  const { isolation, rounds } = setting;
  const daemon = await Daemon.start([
    '--log-level=info',
    '--block-threshold=0',
    '--isolate',
    isolation,
    '--handler',
    mortalHandler,
  ]);
  const victim = await LoopbackLun.create({
    backstore: 'user:mortal',
    size: '16M',
    cfgstring: `${freshImage()}?doom=/tmp/doom`,
  });
  const luns: LoopbackLun[] = [];
  for (let count = 0; count < 7; count++) {
    const lun = await LoopbackLun.create({
      backstore: 'user:file',
      size: '16M',
      cfgstring: `${freshImage()}?create=1`,
    });
    await bash(`dd if=/dev/urandom of=${lun.path} bs=1M count=16 oflag=direct status=none`);
    luns.push(lun);
  }
  const client = await ControlClient.connect();
  for (let round = 1; round <= rounds; round++) {
    for (const killing of [false, true]) {
      const before = (await client.show(victim.name)).restarts ?? 0;
      let over = false;
      const measured = load(luns, setting).finally(() => (over = true));
      while (killing && !over) {
        await sleep(1000);
        const { state, pid = 0 } = await client.show(victim.name);
        if (state !== 'serving' || over) continue;
        if (isolation === 'process') process.kill(pid, 'SIGKILL');
        else writeFileSync('/tmp/doom', '');
      }
      const { p99, iops } = await measured;
      await sleep(3000);
      const restarts = ((await client.show(victim.name)).restarts ?? 0) - before;
      appendFileSync(
        '/lab/events',
        `${JSON.stringify({ isolation, round, killing, p99, iops, restarts })}\n`,
      );
    }
  }
  client.close();
  for (const lun of [victim, ...luns]) await lun.remove();
  await daemon.stop();
}

await main();
