import { expect } from 'chai';
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { freshImage } from './support/disks.js';
import { LoopbackLun } from './support/lun.js';
import { useLunette } from './support/lunette.js';
import { bash, run } from './support/run.js';
import { until } from './support/wait.js';
import { ControlClient } from '../../src/client/client.js';
import type { DeviceDetails } from '../../src/daemon/control/schema.js';

/** How often the host of one of eight devices is killed. */
const kills = Number(process.env.LUNETTE_HOST_KILLS ?? 5);

const mortalHandler = fileURLToPath(new URL('./handlers/mortal.js', import.meta.url));
const stop = '/tmp/stop';

/** Of a device that is being served. */
function served(client: ControlClient, { name }: LoopbackLun): Promise<DeviceDetails> {
  return until(`${name} being served`, async () => {
    const details = await client.show(name);
    return details.state === 'serving' ? details : undefined;
  });
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
      args: ['--block-threshold', '0', '--isolate', isolation, '--handler', mortalHandler],
      expectedErrors: /its host \(.*\) died/,
    });
    const luns: LoopbackLun[] = [];
    let client: ControlClient;

    before(async function () {
      this.timeout(180_000);
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
      client = await ControlClient.connect();
      for (const lun of luns) {
        const { isolation: where, pid } = await served(client, lun);
        expect(where).to.equal(isolation);
        if (isolation === 'thread') expect(pid).to.equal(lunette.daemon.pid);
        else expect(pid).not.to.equal(lunette.daemon.pid);
      }
    });

    it(`lose nothing when the host of one of them dies ${kills} times`, async () => {
      const loads = luns.map((lun) => fioUntilStopped(lun));
      let over = false;
      const done = Promise.all(loads).finally(() => (over = true));
      done.catch(() => undefined);
      let commands = 0;
      for (let killed = 0; killed < kills && !over; killed++) {
        await sleep(1000);
        const { pid = 0 } = await served(client, luns[0]);
        if (isolation === 'process') process.kill(pid, 'SIGKILL');
        else writeFileSync('/tmp/doom', '');
        await until(
          'a new host',
          async () => ((await client.show(luns[0].name)).restarts ?? 0) > killed,
          60_000,
        );
        const [statistics] = (await client.stats(luns[0].name)).devices;
        expect(statistics.commands, 'counters go on').to.be.at.least(commands);
        commands = statistics.commands;
      }
      writeFileSync(stop, '');
      const passes = await done;
      const restarts = lunette.daemon.log.flatMap(({ down }) => (typeof down === 'number' ? [down] : []));
      const figures = { isolation, 'restarts, ms': restarts.map(Math.round), 'fio passes': passes };
      process.stdout.write(`${JSON.stringify(figures)}\n`);
      expect((await served(client, luns[0])).restarts).to.equal(kills);
      for (const lun of luns.slice(1)) expect((await served(client, lun)).restarts).to.equal(0);
      client.close();
      let resumed = 0;
      for (const { msg } of lunette.daemon.log) {
        expect(msg).not.to.match(/the ring was reset|a crash of the daemon would lose commands/);
        resumed += Number(/going on with (\d+) unfinished commands/.exec(msg)?.[1] ?? 0);
      }
      expect(resumed).to.be.above(0);
    }).timeout(120_000 + 60_000 * kills);

    lunette.endsQuietly();
  });
}

describe('a command that never ends, by the policy to restart', () => {
  const lunette = useLunette({
    args: ['--on-timeout', 'restart', '--command-timeout', '2', '--handler', mortalHandler],
    expectedErrors: /took longer than 2000 ms: aborted|its host is ended, for command|its host \(.*\) died/,
  });

  it('is run again by a new host, and its initiator sees no error', async () => {
    const cfgstring = `${freshImage()}?doom=/tmp/doom&hang=/tmp/hang`;
    const lun = await LoopbackLun.create({ backstore: 'user:mortal', size: '16M', cfgstring });
    writeFileSync('/tmp/hang', '');
    await bash(`dd if=${lun.path} of=/dev/null bs=64k count=1 iflag=direct status=none`);
    expect(existsSync('/tmp/hang'), 'a read found the file').to.equal(false);
    const messages = lunette.daemon.log.map(({ msg }) => msg);
    expect(
      messages.filter((msg) => /its host is ended, for command .* does not end/.test(msg)),
    ).to.have.length(1);
    const client = await ControlClient.connect();
    expect((await served(client, lun)).restarts).to.equal(1);
    client.close();
    await lun.remove();
  }).timeout(120_000);

  lunette.endsQuietly();
});
