import { expect } from 'chai';
import { writeFileSync } from 'node:fs';
import { diskKinds } from './support/disks.js';
import { KernelLog } from './support/kernel-log.js';
import { Load } from './support/load.js';
import type { LoopbackLun } from './support/lun.js';
import { useLunette } from './support/lunette.js';
import { bash, run, type RunResult } from './support/run.js';
import { until } from './support/wait.js';

const mib = 2 ** 20;
const sizes = [64, 160, 96, 128, 64, 256];

/** Tell LIO, and so the daemon. */
function resize(lun: LoopbackLun, size: number): void {
  writeFileSync(`${lun.configfs}/attrib/dev_size`, `${size}`);
}

/** READ(10) or WRITE(10) of one block, past the block layer, with what the initiator is told. */
function oneBlock(lun: LoopbackLun, command: 'read' | 'write', offset: number): Promise<RunResult> {
  const lba = (offset / 512).toString(16).padStart(8, '0').match(/../g) ?? [];
  const cdb = [command === 'read' ? '28' : '2a', '00', ...lba, '00', '00', '01', '00'];
  const data =
    command === 'read' ? ['--request=512', '--outfile=/dev/null'] : ['--send=512', '--infile=/tmp/one-block'];
  return run('sg_raw', [...data, lun.generic, ...cdb], { mayFail: true });
}

const told = /Unit Attention[^]*Capacity data has changed/;

/** How often settled() was told of a change. */
let tellings = 0;

/** As oneBlock(); where that is told of a change instead, once more. */
async function settled(lun: LoopbackLun, command: 'read' | 'write', offset: number): Promise<RunResult> {
  const first = await oneBlock(lun, command, offset);
  if (!told.test(first.output)) return first;
  tellings++;
  return oneBlock(lun, command, offset);
}

describe('a disk whose size changes', () => {
  const lunette = useLunette({ expectedAlarms: /Capacity data|critical target error|I\/O error/ });

  before(() => bash('head -c 512 /dev/urandom >/tmp/one-block; head -c 16M /dev/urandom >/tmp/kept'));

  for (const kind of diskKinds) {
    describe(`${kind.name} handler`, () => {
      let lun: LoopbackLun;
      before(async () => {
        lun = await kind.create('128M');
      });
      after(() => lun?.remove());

      it('tells the next command by a unit attention, once', async () => {
        await settled(lun, 'read', 0);
        resize(lun, 96 * mib);
        const told = await oneBlock(lun, 'read', 0);
        expect(told.output)
          .to.match(/Unit Attention/)
          .and.match(/Capacity data has changed/);
        const next = await oneBlock(lun, 'read', 0);
        expect(next.status, next.output).to.equal(0);
        resize(lun, 128 * mib);
      });

      it('serves what stays and refuses what does not, under load', async () => {
        await bash(`dd if=/tmp/kept of=${lun.path} bs=1M seek=40 oflag=direct status=none`);
        const kernelLog = await KernelLog.fromNow();
        tellings = 0;
        const load = new Load(lun.path);
        await until('the load', () => lun.writtenBytes() > 24 * mib);
        for (const [index, size] of sizes.entries()) {
          resize(lun, size * mib);
          // Not told to look again, the initiator takes the disk for as large as before.
          for (const command of ['read', 'write'] as const) {
            const last = await settled(lun, command, size * mib - 512);
            expect(last.status, last.output).to.equal(0);
            const beyond = await oneBlock(lun, command, size * mib);
            expect(beyond.output)
              .to.match(/Illegal Request/)
              .and.match(/Logical block address out of range/);
          }
          if (index % 2 === 1) {
            writeFileSync(`/sys/block/${lun.kernelName}/device/rescan`, '1\n');
            await until(`${lun.path} to have ${size} MiB`, () => lun.size === size * mib);
          }
          await bash(`cmp -n 16M -i 40M:0 ${lun.path} /tmp/kept`);
          const before = lun.writtenBytes();
          await until('the load to go on', () => lun.writtenBytes() > before + mib, 60_000);
        }
        await load.end();
        const lines = await kernelLog.lines();
        // The load's commands were told, or these.
        tellings += lines.filter((line) => /Capacity data has changed/.test(line)).length;
        expect(tellings, 'told of a change').to.be.above(0);
        expect(lines.filter((line) => /I\/O error|critical/.test(line))).to.deep.equal([]);
      }).timeout(240_000);

      it('keeps the data, and has room for more', async () => {
        await bash(`echo 3 >/proc/sys/vm/drop_caches
          cmp -n 16M -i 40M:0 ${lun.path} /tmp/kept
          dd if=/tmp/kept of=${lun.path} bs=1M seek=240 oflag=direct status=none
          cmp -n 16M -i 240M:0 ${lun.path} /tmp/kept`);
      });
    });
  }

  lunette.endsQuietly();
});
