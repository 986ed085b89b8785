import { expect } from 'chai';
import { statSync } from 'node:fs';
import { memoryDisk } from './support/disks.js';
import type { LoopbackLun } from './support/lun.js';
import { useLunette } from './support/lunette.js';
import { bash, run, type RunResult } from './support/run.js';

const cli = (...args: string[]): Promise<RunResult> => run(process.execPath, ['dist/cli/main.js', ...args]);

describe('a running daemon, seen and controlled from the command line', () => {
  const lunette = useLunette();
  let lun: LoopbackLun;
  let device: string;

  before(async () => {
    lun = await memoryDisk.create('64M');
    const [{ name }] = JSON.parse((await cli('ls', '--json')).stdout) as { name: string }[];
    device = name;
  });

  it('listens at a socket for root alone', () => {
    expect(statSync('/run/lunette/control.sock').mode & 0o777).to.equal(0o600);
  });

  it('lists and shows its device', async () => {
    expect(device).to.match(new RegExp(`^user_\\d+/${lun.name}$`));
    expect((await cli('ls')).stdout).to.match(new RegExp(`^${device} +TCMU +serving +memory +64 MiB`, 'm'));
    expect(JSON.parse((await cli('show', lun.name, '--json')).stdout)).to.include({
      name: device,
      size: 64 * 1024 * 1024,
      config: 'memory/',
    });
  });

  it('counts and traces what the kernel sends', async () => {
    interface Counters {
      readonly writes: number;
      readonly writtenBytes: number;
    }
    const stats = async (): Promise<Counters> =>
      (JSON.parse((await cli('stats', lun.name, '--json')).stdout) as Counters[])[0];
    const before = await stats();
    const tracing = cli('trace', lun.name, '--count', '4', '--json');
    // Long enough for the trace to begin.
    const written = await bash(`for i in $(seq 40); do
        dd if=/dev/zero of=${lun.path} bs=1M count=4 oflag=direct status=none
        sleep 0.02
      done`);
    expect(written.status).to.equal(0);
    const names = (await tracing).stdout
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as { name: string }).name);
    expect(names).to.have.length(4);
    for (const name of names) expect(name).to.match(/^WRITE\(1[06]\)$/);
    const now = await stats();
    expect(now.writtenBytes - before.writtenBytes).to.equal(40 * 4 * 1024 * 1024);
  });

  it('pauses it: commands wait in the kernel until it is resumed', async () => {
    expect((await cli('pause', lun.name)).stdout).to.equal(`${device}: paused\n`);
    const reading = bash(`dd if=${lun.path} of=/dev/null bs=4k count=1 iflag=direct status=none`);
    const first = await Promise.race([
      reading.then(() => 'read'),
      new Promise((resolve) => setTimeout(() => resolve('waits'), 500)),
    ]);
    expect(first).to.equal('waits');
    expect((await cli('resume', lun.name)).stdout).to.equal(`${device}: serving\n`);
    expect((await reading).status).to.equal(0);
  });

  it('says so when no daemon listens', async () => {
    const { status, stderr } = await run(
      process.execPath,
      ['dist/cli/main.js', 'ls', '--control', '/run/none'],
      {
        mayFail: true,
      },
    );
    expect(status).to.equal(3);
    expect(stderr).to.match(/lunette serve/);
  });

  lunette.endsQuietly();
});
