import { appendFileSync, writeFileSync } from 'node:fs';
import { Daemon } from '../../test/kernel/support/daemon.js';
import { LoopbackLun } from '../../test/kernel/support/lun.js';
import { bash, run } from '../../test/kernel/support/run.js';
import { TcmuRunner } from '../../test/kernel/support/tcmu-runner.js';

/*
 * Runs in the guest: the same fio passes over each disk, round after round, alternating, so that a busy host
 * hurts all alike. Each figure goes to /lab/events as it comes.
 */

interface Pass {
  readonly name: string;
  /** As fio takes them. */
  readonly mode: string;
  readonly block: string;
  readonly depth: number;
}

interface Setting {
  readonly rounds: number;
  /** Seconds of each pass. */
  readonly seconds: number;
  /** Bytes of each disk. */
  readonly size: number;
  readonly passes: readonly Pass[];
  /** tcmu-runner's handler for files; without it there is its qcow handler. */
  readonly peer?: { readonly folder: string; readonly subtype: string };
}

interface FioSide {
  readonly iops: number;
  readonly total_ios: number;
  readonly clat_ns: { readonly percentile?: Readonly<Record<string, number>> };
}
interface FioReport {
  readonly jobs: readonly { readonly error: number; readonly read: FioSide; readonly write: FioSide }[];
}

/** @returns commands a second, and the 99th percentile of their latency in microseconds */
async function fio(path: string, { mode, block, depth }: Pass, seconds: number): Promise<object> {
  const { stdout } = await run(
    'fio',
    [
      '--name=pass',
      `--filename=${path}`,
      '--direct=1',
      '--ioengine=libaio',
      `--rw=${mode}`,
      `--bs=${block}`,
      `--iodepth=${depth}`,
      '--time_based',
      '--ramp_time=500ms',
      `--runtime=${seconds}`,
      '--norandommap',
      '--randrepeat=0',
      '--output-format=json',
    ],
    { timeout: (seconds + 60) * 1000 },
  );
  const job = (JSON.parse(stdout.slice(stdout.indexOf('{'))) as FioReport).jobs[0];
  if (!job || job.error !== 0) throw new Error(`fio ${mode} on ${path} failed:\n${stdout}`);
  const sides = [job.read, job.write].filter(({ total_ios }) => total_ios > 0);
  const p99 = Math.max(...sides.map(({ clat_ns }) => clat_ns.percentile?.['99.000000'] ?? NaN)) / 1000;
  return { iops: sides.reduce((sum, { iops }) => sum + iops, 0), p99 };
}

async function createDisks({ size, peer }: Setting): Promise<Record<string, LoopbackLun>> {
  // tcmu-runner answers the kernel for every device, and refuses ours where the kernel waits for an answer.
  const control = 'nl_reply_supported=-1';
  const bytes = String(size);
  writeFileSync('/tmp/ours.img', '');
  const theirs = peer
    ? { backstore: `user:${peer.subtype}`, size: bytes, cfgstring: '/tmp/peer.img' }
    : { backstore: 'user:qcow', size: bytes, cfgstring: '/tmp/peer.qcow2' };
  if (!peer) {
    await run('qemu-img', [
      'create',
      '-q',
      '-f',
      'qcow2',
      '-o',
      'preallocation=full',
      theirs.cfgstring,
      bytes,
    ]);
  }
  return {
    'lunette memory': await LoopbackLun.create({
      backstore: 'user:memory',
      size: bytes,
      control,
      cfgstring: '',
    }),
    'lunette file': await LoopbackLun.create({
      backstore: 'user:file',
      size: bytes,
      control,
      cfgstring: '/tmp/ours.img?create=1',
    }),
    'tcmu-runner': await LoopbackLun.create(theirs),
    'LIO fileio': await LoopbackLun.create({ backstore: 'fileio', size: bytes, file: '/tmp/kernel.img' }),
    'LIO ramdisk': await LoopbackLun.create({ backstore: 'ramdisk', size: bytes }),
  };
}

async function main(): Promise<void> {
  const setting = JSON.parse(process.argv[2] ?? '') as Setting;
  const { size, peer, passes, rounds, seconds } = setting;
  // First, because it needs the bus name for itself; lunette then registers its handlers with it.
  const runner = await TcmuRunner.start(peer ? ['--handler-path', peer.folder] : []);
  const daemon = await Daemon.start(['--log-level', 'info']);
  const disks = await createDisks(setting);
  // Every block exists before anything is measured: the first touch of a page costs most in the guest.
  for (const lun of Object.values(disks)) {
    await bash(`dd if=/dev/urandom of=${lun.path} bs=1M count=$((${size} >> 20)) oflag=direct status=none`);
  }
  const names = Object.keys(disks);
  for (let round = 1; round <= rounds; round++) {
    for (const pass of passes) {
      // Each disk is first in its turn.
      for (const [index] of names.entries()) {
        const disk = names[(index + round) % names.length];
        const figure = await fio(disks[disk].path, pass, seconds);
        appendFileSync('/lab/events', `${JSON.stringify({ round, disk, pass: pass.name, ...figure })}\n`);
      }
    }
  }
  // Before they are removed: the kernel does not wait for us here, and takes the rings away under the daemon.
  const complaints = daemon.complaints();
  for (const lun of Object.values(disks)) await lun.remove();
  await daemon.stop();
  await runner.stop();
  if (complaints.length > 0) throw new Error(complaints.join('\n'));
}

await main();
