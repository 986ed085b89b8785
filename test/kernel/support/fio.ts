import { expect } from 'chai';
import { run } from './run.js';

interface FioJob {
  readonly jobname: string;
  readonly error: number;
  readonly read: { readonly io_bytes: number; readonly total_ios: number };
  readonly write: { readonly io_bytes: number; readonly total_ios: number };
}

const kib = 1024;
const mib = 1024 * kib;

/** Block size and amount, in bytes: as many commands as fit into a few seconds of the guest. */
const passes: readonly (readonly [number, number])[] = [
  [512, mib / 2],
  [4 * kib, 4 * mib],
  [64 * kib, 32 * mib],
  [mib, 64 * mib],
];

/**
 * Write in random order with a checksum in each block, read it all back, compare; for each block size, and for
 * a mix of them.
 * @param blockSize the disk's, in bytes
 */
export async function verifyWithFio(path: string, depth: number, blockSize = 512): Promise<void> {
  const sizes = passes.filter(([bytes]) => bytes >= blockSize);
  const jobs = sizes.map(([bytes, amount]) => [
    `--name=bs${bytes}`,
    '--stonewall',
    `--bs=${bytes}`,
    `--size=${amount}`,
  ]);
  jobs.push(['--name=mixed', '--stonewall', `--bsrange=${blockSize}-1M`, '--size=48M']);
  const { stdout } = await run(
    'fio',
    [
      '--name=global',
      `--filename=${path}`,
      '--direct=1',
      '--ioengine=libaio',
      `--iodepth=${depth}`,
      '--rw=randwrite',
      '--verify=crc32c',
      '--do_verify=1',
      '--verify_fatal=1',
      '--output-format=json',
      ...jobs.flat(),
    ],
    { timeout: 150_000 },
  );
  const report = JSON.parse(stdout.slice(stdout.indexOf('{'))) as { jobs: FioJob[] };
  expect(report.jobs).to.have.length(jobs.length);
  for (const job of report.jobs) {
    expect(job.error, job.jobname).to.equal(0);
    expect(job.write.io_bytes, job.jobname).to.be.above(0);
    // Everything that was written was read again.
    expect(job.read.io_bytes, job.jobname).to.equal(job.write.io_bytes);
  }
}
