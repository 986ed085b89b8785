import { appendFileSync, writeFileSync } from 'node:fs';
import { Daemon } from '../../test/kernel/support/daemon.js';
import { LoopbackLun } from '../../test/kernel/support/lun.js';
import { bash, run } from '../../test/kernel/support/run.js';
import { TcmuRunner } from '../../test/kernel/support/tcmu-runner.js';

/*
 * Runs in the guest: the same fio passes over each disk, round after round, alternating, so that a busy host
 * hurts all alike. Each figure goes to /lab/events as it comes.
 */

interface Setting {
  readonly rounds: number;
  /** Seconds of each pass. */
  readonly seconds: number;
  /** Bytes of each disk. */
  readonly size: number;
}

const passes = (['randread', 'randwrite'] as const).flatMap((mode) =>
  [1, 32].map((depth) => ({ mode, depth })),
);

interface FioReport {
  readonly jobs: readonly { readonly error: number; readonly read: FioSide; readonly write: FioSide }[];
}
interface FioSide {
  readonly iops: number;
  readonly clat_ns: { readonly percentile?: Readonly<Record<string, number>> };
}

async function fio(path: string, mode: string, depth: number, seconds: number): Promise<FioSide> {
  const { stdout } = await run(
    'fio',
    [
      '--name=pass',
      `--filename=${path}`,
      '--direct=1',
      '--ioengine=libaio',
      `--rw=${mode}`,
      '--bs=4k',
      `--iodepth=${depth}`,
      '--time_based',
      '--ramp_time=1',
      `--runtime=${seconds}`,
      '--norandommap',
      '--randrepeat=0',
      '--output-format=json',
    ],
    { timeout: (seconds + 60) * 1000 },
  );
  const job = (JSON.parse(stdout.slice(stdout.indexOf('{'))) as FioReport).jobs[0];
  if (!job || job.error !== 0) throw new Error(`fio ${mode} on ${path} failed:\n${stdout}`);
  return mode === 'randread' ? job.read : job.write;
}

async function main(): Promise<void> {
  const setting = JSON.parse(process.argv[2] ?? '') as Setting;
  // First, because it needs the bus name for itself; lunette then registers its handlers with it.
  const runner = await TcmuRunner.start();
  const daemon = await Daemon.start(['--log-level', 'info']);

  const size = String(setting.size);
  await run('qemu-img', ['create', '-q', '-f', 'qcow2', '-o', 'preallocation=full', '/tmp/peer.qcow2', size]);
  writeFileSync('/tmp/ours.img', '');
  // tcmu-runner answers the kernel for every device, and refuses ours where the kernel waits for an answer.
  const control = 'nl_reply_supported=-1';
  const disks = {
    'lunette memory': await LoopbackLun.create({ backstore: 'user:memory', size, control, cfgstring: '' }),
    'lunette file': await LoopbackLun.create({
      backstore: 'user:file',
      size,
      control,
      cfgstring: '/tmp/ours.img?create=1',
    }),
    'tcmu-runner qcow': await LoopbackLun.create({
      backstore: 'user:qcow',
      size,
      cfgstring: '/tmp/peer.qcow2',
    }),
    'kernel ramdisk': await LoopbackLun.create({ backstore: 'ramdisk', size }),
  };
  // Every block exists before anything is measured: the first touch of a page costs most in the guest.
  for (const lun of Object.values(disks)) {
    await bash(`dd if=/dev/urandom of=${lun.path} bs=1M count=$((${size} >> 20)) oflag=direct status=none`);
  }
  for (let round = 1; round <= setting.rounds; round++) {
    for (const { mode, depth } of passes) {
      for (const [name, lun] of Object.entries(disks)) {
        const { iops, clat_ns } = await fio(lun.path, mode, depth, setting.seconds);
        const p99 = (clat_ns.percentile?.['99.000000'] ?? NaN) / 1000;
        const figure = { round, disk: name, mode, depth, iops: Math.round(iops), p99: Math.round(p99) };
        appendFileSync('/lab/events', `${JSON.stringify(figure)}\n`);
      }
    }
  }
  for (const lun of Object.values(disks)) await lun.remove();
  await daemon.stop();
  await runner.stop();
  if (daemon.complaints().length > 0) throw new Error(daemon.complaints().join('\n'));
}

await main();
