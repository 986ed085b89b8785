import { expect } from 'chai';
import { readFileSync } from 'node:fs';
import { verifyWithFio } from './support/fio.js';
import { LoopbackLun } from './support/lun.js';
import { useLunette } from './support/lunette.js';
import { bash, run } from './support/run.js';

describe('a handler with SCSI commands of its own, examples/vendor-command.ts, with --checked-buffers', () => {
  const lunette = useLunette({ args: ['--handler', 'examples/vendor-command.ts', '--checked-buffers'] });
  let lun: LoopbackLun;
  before(async () => {
    lun = await LoopbackLun.create({ backstore: 'user:counted', size: '64M', cfgstring: '' });
  });

  /** Reads and writes, as the disk counted them. */
  async function counters(): Promise<[number, number]> {
    const answer = '/tmp/counters';
    const cdb = 'c0 00 00 00 00 00 00 00 10 00'.split(' ');
    await run('sg_raw', ['--binary', `--outfile=${answer}`, '-r', '16', lun.path, ...cdb]);
    const bytes = readFileSync(answer);
    expect(bytes).to.have.length(16);
    return [Number(bytes.readBigUInt64BE(0)), Number(bytes.readBigUInt64BE(8))];
  }

  it('returns its data from the kernel’s ring to the one who asked', async () => {
    const [reads, writes] = await counters();
    await bash(`dd if=/dev/zero of=${lun.path} bs=4k count=5 oflag=direct
      dd if=${lun.path} of=/dev/null bs=4k count=3 iflag=direct`);
    expect(await counters()).to.deep.equal([reads + 3, writes + 5]);
  });

  it('runs a command without data', async () => {
    await run('sg_raw', [lun.path, 'c1', '00', 'e5', ...'00 00 00 00 00 00 00'.split(' ')]);
    const { stdout } = await bash(
      `dd if=${lun.path} bs=4k skip=100 count=1 iflag=direct status=none | od -An -v -tx1 -w4 | sort -u`,
    );
    expect(stdout.trim()).to.equal('e5 e5 e5 e5');
  });

  it('lists them among its commands', async () => {
    const { stdout } = await run('sg_opcodes', [lun.path]);
    expect(stdout).to.match(/^ c0 +10/m);
    expect(stdout).to.match(/^ c1 +10/m);
  });

  it('returns what fio wrote', () => verifyWithFio(lun.path, 32));

  lunette.endsQuietly();
});
