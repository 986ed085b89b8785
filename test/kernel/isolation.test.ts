import { expect } from 'chai';
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { freshImage } from './support/disks.js';
import { LoopbackLun } from './support/lun.js';
import { useLunette } from './support/lunette.js';
import { bash, run } from './support/run.js';

/** Seconds for which one of eight hosts is killed again and again. */
const seconds = Number(process.env.LUNETTE_ISOLATION_SECONDS ?? 15);

const mortalHandler = fileURLToPath(new URL('./handlers/mortal.js', import.meta.url));
const stop = '/tmp/stop';

interface Details {
  readonly state: string;
  readonly isolation: string;
  readonly pid: number;
  readonly restarts: number;
  readonly commands: number;
}

/** `lunette show DEVICE` */
async function show(lun: LoopbackLun): Promise<Details> {
  const { stdout } = await run(process.execPath, ['dist/cli/main.js', 'show', lun.name, '--json']);
  return JSON.parse(stdout) as Details;
}

/** Writes, and everything read and compared, again and again until told to stop. @returns how often */
async function fioUntilStopped(lun: LoopbackLun): Promise<number> {
  let passes = 0;
  while (!existsSync(stop)) {
    await run(
      'fio',
      [
        `--name=${lun.name}`,
        `--filename=${lun.path}`,
        '--direct=1',
        '--ioengine=libaio',
        '--iodepth=8',
        '--rw=randrw',
        '--bsrange=512-64k',
        '--size=8M',
        '--verify=crc32c',
        '--do_verify=1',
        '--verify_fatal=1',
        `--randseed=${passes + 1}`,
        '--minimal',
      ],
      { timeout: 170_000 },
    );
    passes++;
  }
  return passes;
}

for (const isolation of ['thread', 'process']) {
  describe(`eight devices, each in a ${isolation} of its own`, () => {
    const lunette = useLunette({
      args: ['--isolate', isolation, '--handler', mortalHandler],
      expectedErrors: /its host \(.*\) died/,
    });
    const luns: LoopbackLun[] = [];

    before(async () => {
      rmSync(stop, { force: true });
      for (let count = 0; count < 8; count++) {
        const image = freshImage();
        luns.push(
          await LoopbackLun.create(
            count === 0
              ? { backstore: 'user:mortal', size: '16M', cfgstring: `${image}?doom=/tmp/doom` }
              : { backstore: 'user:file', size: '16M', cfgstring: `${image}?create=1` },
          ),
        );
      }
    });

    after(async () => {
      await bash(`touch ${stop}`);
    });

    it('are served where they were said to be', async () => {
      for (const lun of luns) {
        const { isolation: where, state, pid } = await show(lun);
        expect(where).to.equal(isolation);
        expect(state).to.equal('serving');
        if (isolation === 'thread') expect(pid).to.equal(lunette.daemon.pid);
        else expect(pid).not.to.equal(lunette.daemon.pid);
      }
    }).timeout(120_000);

    it('lose nothing when one of their hosts dies each second', async () => {
      const loads = luns.map((lun) => fioUntilStopped(lun));
      let over = false;
      const done = Promise.all(loads).finally(() => (over = true));
      done.catch(() => undefined);
      const until = Date.now() + seconds * 1000;
      let killed = 0;
      while (Date.now() < until && !over) {
        await sleep(1000);
        const { state, pid } = isolation === 'process' ? await show(luns[0]) : { state: 'serving', pid: 0 };
        if (state !== 'serving') continue;
        killed++;
        if (isolation === 'process') process.kill(pid, 'SIGKILL');
        else writeFileSync('/tmp/doom', '');
      }
      writeFileSync(stop, '');
      const passes = await done;
      const { restarts, state } = await show(luns[0]);
      process.stdout.write(`${JSON.stringify({ isolation, killed, restarts, passes })}\n`);
      expect(state).to.equal('serving');
      expect(restarts).to.be.within(3, killed);
      for (const lun of luns.slice(1)) expect((await show(lun)).restarts).to.equal(0);
      for (const { msg } of lunette.daemon.log) {
        expect(msg).not.to.match(/the ring was reset|a crash of the daemon would lose commands/);
      }
    }).timeout(60_000 + 4000 * seconds + 180_000);

    lunette.endsQuietly();
  });
}
