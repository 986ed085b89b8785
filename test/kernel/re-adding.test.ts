import { expect } from 'chai';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { ControlClient } from '../../src/client/client.js';
import { Daemon } from './support/daemon.js';
import { freshImage } from './support/disks.js';
import { Host } from './support/host.js';
import { useLunette } from './support/lunette.js';
import { bash } from './support/run.js';
import { until } from './support/wait.js';

/** Sixteen hosts that start at the same time, on the guest's one processor. */
const slow = /the event loop has not turned/;

const devices = 16;
const mib = 2 ** 20;

/** Names of tasks that wait in the kernel and cannot be interrupted. */
function blockedTasks(): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        const [, name = '', state] = /\((.*)\) (\w)/.exec(readFileSync(`/proc/${pid}/stat`, 'utf8')) ?? [];
        return state === 'D' ? [name] : [];
      } catch {
        return [];
      }
    });
}

/** What devices leave behind, if they do. */
async function leftovers(): Promise<string[]> {
  const uio = readdirSync('/sys/class/uio').map((name) => `/sys/class/uio/${name}`);
  const hosts = readdirSync('/sys/kernel/config/target/core').filter((name) => name.startsWith('user_'));
  const files = existsSync('/run/lunette') ? readdirSync('/run/lunette') : [];
  const journals = files.filter((name) => !name.endsWith('.sock'));
  // A task may be waiting for a moment.
  const blocked = await until('no task that waits', () => blockedTasks().length === 0 && []).catch(() =>
    blockedTasks(),
  );
  return [...uio, ...hosts, ...journals, ...blocked];
}

/** A host with all its devices, of which two are disks that are written to and read. */
async function makeHost(number: number): Promise<Host> {
  const host = new Host(number);
  const made = Array.from({ length: devices }, (_, index) =>
    host.add(
      `device${index}`,
      index % 2 === 0 ? 'memory/' : `file/${freshImage()}?create=1`,
      (16 + index) * mib,
    ),
  );
  await Promise.all(made);
  return host;
}

async function useDisks(host: Host): Promise<void> {
  for (const index of [0, 1]) {
    const path = await host.export(`device${index}`, index);
    await bash(`dd if=/dev/urandom of=/tmp/re-added bs=64k count=32 status=none
      dd if=/tmp/re-added of=${path} bs=64k oflag=direct status=none
      cmp -n 2M /tmp/re-added ${path}; rm /tmp/re-added`);
  }
}

/** Somebody who looks at all devices all the time, as monitoring does: nothing may wait for a device that goes. */
class Watcher {
  #stopped = false;

  stop(): void {
    this.#stopped = true;
  }

  /** @returns how often it looked */
  async watch(): Promise<number> {
    const client = await ControlClient.connect();
    let looks = 0;
    for (; !this.#stopped; looks++) {
      // A device may have gone since it was listed.
      await client.list().catch(() => undefined);
      await sleep(5);
    }
    client.close();
    return looks;
  }
}

interface Footprint {
  descriptors: number;
  mappings: number;
  threads: number;
  memory: number;
}

function footprint(daemon: Daemon): Footprint {
  return {
    descriptors: daemon.descriptors().length,
    mappings: readFileSync(`/proc/${daemon.pid}/maps`, 'utf8').split('\n').length,
    threads: readdirSync(`/proc/${daemon.pid}/task`).length,
    memory: Math.round(daemon.residentMemory() / mib),
  };
}

/** How often, where LUNETTE_ROUNDS does not say: a thread takes the guest two seconds to start. */
const usualRounds = { none: 20, thread: 3 };

for (const isolation of ['none', 'thread'] as const) {
  const rounds = Number(process.env.LUNETTE_ROUNDS ?? usualRounds[isolation]);
  /** Rounds after which everything that is made once has been made. */
  const warmUp = Math.min(5, Math.ceil(rounds / 2));

  describe(`a host of ${devices} devices, removed and made again (--isolate ${isolation})`, () => {
    // Sixteen hosts that start at the same time need theirs, on the guest's one processor.
    const args = ['--isolate', isolation, '--open-timeout', '120'];
    const lunette = useLunette({
      args,
      expectedErrors: slow,
      expectedAlarms: /Synchroniz/,
    });
    let before: readonly string[];
    /** Connections to the control socket. */
    const watchers = 1;

    async function untilClean(): Promise<void> {
      const { daemon } = lunette;
      await until('the daemon to unmap its devices', () => daemon.deviceMappings().length === 0);
      await until(
        'the daemon’s descriptors to be as before',
        () => daemon.descriptors().length <= before.length + watchers,
      );
      expect(await leftovers()).to.deep.equal([]);
    }

    it(`${rounds} times, leaves nothing behind`, async () => {
      const { daemon } = lunette;
      // What comes with the first device and stays, as the thread that watches the event loop, comes now.
      const first = await makeHost(8);
      await first.remove();
      const ofDevices = /uio|\.img|\.journal|target\/core/;
      await until(
        'the first host to be gone',
        () => !daemon.descriptors().some((path) => ofDevices.test(path)),
      );
      before = daemon.descriptors();
      const warm: Footprint[] = [];
      const watcher = new Watcher();
      const watching = watcher.watch();
      const started = Date.now();
      for (let round = 0; round < rounds; round++) {
        const host = await makeHost(round % 3);
        expect(readdirSync('/sys/class/uio')).to.have.length(devices);
        await useDisks(host);
        await host.remove();
        await untilClean();
        if (round < warmUp - 1) continue;
        // The spare host goes with the last device, but its thread takes its time.
        const most = warm.length > 0 ? warm[0].threads : Infinity;
        await until('the daemon’s threads to be as many as before', () => footprint(daemon).threads <= most);
        warm.push(footprint(daemon));
      }
      watcher.stop();
      const looks = await watching;
      const [early, late] = [warm[0], warm[warm.length - 1]];
      const most = Math.max(...warm.map(({ memory }) => memory));
      const figures = {
        isolation,
        rounds,
        seconds: Math.round((Date.now() - started) / 1000),
        looks,
        early,
        late,
        'most memory, MiB': most,
      };
      process.stdout.write(`${JSON.stringify(figures)}\n`);
      await until('the watcher’s connection to end', () => daemon.descriptors().length <= before.length);
      expect(daemon.descriptors().sort()).to.deep.equal([...before].sort());
      expect(late.threads, 'threads').to.be.at.most(early.threads);
      expect(late.mappings, 'mappings').to.be.at.most(early.mappings + 100);
      expect(late.memory, 'resident memory, MiB').to.be.at.most(early.memory + 64);
    }).timeout(60_000 + rounds * 60_000);

    it('is served by a daemon that is stopped or killed, and started again', async () => {
      const host = await makeHost(7);
      const path = await host.export('device1', 1);
      await bash(`head -c 4M /dev/urandom >/tmp/re-started
        dd if=/tmp/re-started of=${path} bs=64k oflag=direct status=none`);
      for (const kill of [false, true]) {
        if (kill) {
          lunette.daemon.signal('SIGKILL');
          await lunette.daemon.exited;
        } else {
          expect(await lunette.daemon.stop(), lunette.daemon.everything()).to.equal(0);
        }
        expect(lunette.daemon.complaints().filter((line) => !slow.test(line))).to.deep.equal([]);
        lunette.daemon = await Daemon.start(args);
        // Not before all the devices have their hosts again.
        await bash(`echo 3 >/proc/sys/vm/drop_caches; cmp -n 4M /tmp/re-started ${path}`, {
          timeout: 170_000,
        });
      }
      await bash('rm /tmp/re-started');
      await host.remove();
      await until('the daemon to unmap its devices', () => lunette.daemon.deviceMappings().length === 0);
      await until('fewer descriptors', () => lunette.daemon.descriptors().length <= before.length);
      expect(await leftovers()).to.deep.equal([]);
    }).timeout(480_000);

    lunette.endsQuietly();
  });
}
