import { expect } from 'chai';
import { spawn } from 'node:child_process';
import { deferred } from './run.js';

/** fio, for as long as it is wanted: mixed reads and writes at depth 32, each block verified. */
export class Load {
  readonly #done: Promise<{ status: number; output: string }>;
  readonly #stop: () => void;

  /** @param size of the disk's first part, which is used; as fio takes it */
  constructor(path: string, size = '32M') {
    const { promise, resolve, reject } = deferred<{ status: number; output: string }>();
    const child = spawn(
      'fio',
      [
        '--name=load',
        `--filename=${path}`,
        '--direct=1',
        '--ioengine=libaio',
        '--iodepth=32',
        '--rw=randrw',
        '--bsrange=4k-64k',
        `--size=${size}`,
        '--verify=crc32c',
        '--verify_fatal=1',
        '--do_verify=1',
        '--loops=10000',
        '--output-format=json',
      ],
      { stdio: ['ignore', 'pipe', 'pipe'] },
    );
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => (output += text));
    }
    child.on('error', reject).on('close', (code) => resolve({ status: code ?? 128, output }));
    this.#done = promise;
    this.#stop = () => child.kill('SIGINT');
  }

  /** End it. @throws where a read or write failed, or a block was not what was written */
  async end(): Promise<void> {
    this.#stop();
    const { output } = await this.#done;
    const report = JSON.parse(output.slice(output.indexOf('{'), output.lastIndexOf('}') + 1)) as {
      jobs: { error: number; read: { total_ios: number }; write: { total_ios: number } }[];
    };
    // 0, or EINTR of the signal.
    expect(report.jobs[0].error, output).to.be.oneOf([0, 4, 128]);
    expect(output).not.to.match(/verify failed|crc32c: verify|io_u error/);
    expect(report.jobs[0].write.total_ios).to.be.above(0);
  }
}
