import { expect } from 'chai';
import { rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { ControlClient } from '../../src/client/client.js';
import type { DeviceDetails } from '../../src/daemon/control/schema.js';
import { verifyWithFio } from './support/fio.js';
import { LoopbackLun } from './support/lun.js';
import { useLunette } from './support/lunette.js';
import { bash, run, type RunResult } from './support/run.js';
import { until } from './support/wait.js';

const stubbornHandler = fileURLToPath(new URL('./handlers/stubborn.js', import.meta.url));
/** The handler behaves badly while this file is there. */
const bad = '/tmp/bad';
const mib = 2 ** 20;
/** Commands that hang at the same time. */
const many = 24;

/** Types of task management functions (tcmu_tmr_type). */
const abortTask = 1;
const lunReset = 5;

for (const isolation of ['none', 'thread']) {
  describe(`commands that an initiator gives up (--isolate ${isolation})`, () => {
    const lunette = useLunette({
      args: ['--isolate', isolation, '--handler', stubbornHandler, '--command-timeout', '8'],
      expectedErrors: /took longer than 8000 ms|1 verbs never ended|the event loop has not turned/,
      expectedAlarms: /ABORT_TASK|LUN_RESET|I\/O error|timed out|timing out/,
    });
    let lun: LoopbackLun;
    let client: ControlClient;

    before(async () => {
      rmSync(bad, { force: true });
      lun = await LoopbackLun.create({ backstore: 'user:stubborn', size: '64M', cfgstring: bad });
      await bash(`head -c 8M /dev/urandom >/tmp/abort
        dd if=/tmp/abort of=${lun.path} bs=1M oflag=direct status=none`);
      client = await ControlClient.connect();
    });

    after(() => {
      client?.close();
      rmSync(bad, { force: true });
    });

    const details = (): Promise<DeviceDetails> => client.show(lun.name);

    /** How often the handler was told so far. */
    function told(type: number, offset: number): number {
      const wanted = `told to stop at ${offset}: aborted by a task management function (type ${type})`;
      return lunette.daemon.log.filter(({ msg }) => msg.includes(wanted)).length;
    }

    function hanging(offset: number): number {
      return lunette.daemon.log.filter(({ msg }) => msg.includes(`hanging at ${offset}`)).length;
    }

    /** READ(10) of one block, which the initiator gives up after so many seconds, and does not send again. */
    function read(offset: number, seconds: number): Promise<RunResult> {
      const lba = (offset / 512).toString(16).padStart(8, '0').match(/../g) ?? [];
      return run(
        'sg_raw',
        [
          ...[`--timeout=${seconds}`, '--request=512', '--outfile=/dev/null', lun.generic],
          ...['28', '00', ...lba, '00', '00', '01', '00'],
        ],
        { mayFail: true },
      );
    }

    async function isIdle(): Promise<void> {
      await until('no command in flight', async () => (await details()).inFlight === 0);
      const first = await read(0, 30);
      // What a reset leaves for the next command.
      const good = /Unit Attention/.test(first.output) ? await read(0, 30) : first;
      expect(good.status, good.output).to.equal(0);
    }

    it('are aborted in the handler by ABORT TASK, and may be sent again', async () => {
      writeFileSync(bad, '');
      writeFileSync(`/sys/block/${lun.kernelName}/device/timeout`, '1\n');
      const reading = bash(`dd if=${lun.path} of=/tmp/aborted bs=64k skip=16 count=1 iflag=direct`);
      await until('the handler to be told', () => told(abortTask, mib) > 0, 30_000);
      rmSync(bad);
      await reading;
      await bash('cmp -n 65536 -i 0:1M /tmp/aborted /tmp/abort; rm /tmp/aborted');
      writeFileSync(`/sys/block/${lun.kernelName}/device/timeout`, '30\n');
      await isIdle();
    });

    it('are aborted in the handler by LUN RESET, all of them', async () => {
      const [tolds, hangings] = [told(lunReset, mib), hanging(mib)];
      writeFileSync(bad, '');
      const reads = [1, 2, 3, 4].map(() => read(mib, 60));
      await until('all to hang', () => hanging(mib) === hangings + 4);
      rmSync(bad);
      await run('sg_reset', ['--device', lun.generic]);
      expect(told(lunReset, mib)).to.equal(tolds + 4);
      // Whatever tcm_loop makes of them: it ends them without having been given a status.
      await Promise.all(reads);
      await isIdle();
    });

    it(`do not use up the ring: ${many} at a time, again and again`, async () => {
      const before = told(abortTask, mib);
      for (let round = 1; round <= 3; round++) {
        writeFileSync(bad, '');
        await Promise.all(Array.from({ length: many }, () => read(mib, 1)));
        rmSync(bad);
        await isIdle();
        const now = told(abortTask, mib) + told(lunReset, mib);
        expect(now, 'told').to.be.at.least(before + round * many);
      }
      await verifyWithFio(lun.path, 128);
    }).timeout(300_000);

    it('are answered for, where the handler does not care; the device goes on', async () => {
      writeFileSync(bad, '');
      const before = told(abortTask, 2 * mib) + told(lunReset, 2 * mib);
      const { status } = await read(2 * mib, 1);
      rmSync(bad);
      expect(status).not.to.equal(0);
      expect(told(abortTask, 2 * mib) + told(lunReset, 2 * mib)).to.be.above(before);
      await lunette.daemon.logged('the report', /took longer than 8000 ms: aborted/);
      await isIdle();
      await verifyWithFio(lun.path, 32);
    });

    lunette.endsQuietly();
  });
}
