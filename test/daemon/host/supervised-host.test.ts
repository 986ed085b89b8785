import { expect } from 'chai';
import { HostConnection } from '../../../src/daemon/host/host-connection.js';
import { SupervisedHost } from '../../../src/daemon/host/supervised-host.js';
import { plainError } from '../../../src/daemon/host/protocol.js';
import type { TraceBatch } from '../../../src/device/command-trace.js';
import { failureOf } from '../../conformance/support.js';
import { RecordingLog } from '../../device/support.js';
import { hosted, report, ScriptedHost, tcmu, type Script } from './support.js';

async function until(what: string, probe: () => boolean | Promise<boolean>): Promise<void> {
  for (let tries = 0; !(await probe()); tries++) {
    if (tries > 500) throw new Error(`waited for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

class SupervisorLog extends RecordingLog {
  readonly level = 'info';
  override readonly info = (first: unknown, second?: string): void => this.#note('info', first, second);
  override readonly warn = (first: unknown, second?: string): void => this.#note('warn', first, second);
  override readonly error = (first: unknown, second?: string): void => this.#note('error', first, second);

  #note(level: string, first: unknown, second?: string): void {
    this.lines.push(`${level}: ${second ?? String(first)}`);
  }
}

interface Rig {
  readonly host: SupervisedHost;
  /** Every host that was started. */
  readonly hosts: ScriptedHost[];
  readonly log: SupervisorLog;
}

const basic: Script = { open: () => hosted(), details: () => hosted(), statistics: () => report(3) };

async function supervise(
  scripts: (started: number) => Script = () => basic,
  restartAfter?: number,
  configure?: (devConfig: string) => object | undefined,
): Promise<Rig> {
  const hosts: ScriptedHost[] = [];
  const log = new SupervisorLog();
  const host = await SupervisedHost.open({
    tcmu,
    isolation: 'process',
    log: log as never,
    restartAfter,
    configure,
    connect: () =>
      new HostConnection(
        (_start, listener) => {
          const scripted = new ScriptedHost(scripts(hosts.length), listener);
          hosts.push(scripted);
          return scripted;
        },
        { handlers: { modules: [] }, settings: {}, log: { level: 'info', format: 'json' } },
      ),
  });
  return { host, hosts, log };
}

async function serving(host: SupervisedHost): Promise<boolean> {
  return (await host.details()).state === 'serving';
}

describe('a supervised host', () => {
  it('opens the device, and says who serves it', async () => {
    const { host, hosts } = await supervise();
    expect(hosts[0].parameters[0]).to.deep.include({ tcmu, paused: false });
    expect(await host.details()).to.deep.include({ isolation: 'process', pid: 4711, restarts: 0 });
    expect(host.size).to.equal(1 << 20);
    await host.close();
    expect(hosts[0].calls.at(-1)).to.equal('close');
    expect(hosts[0].isDead).to.equal(true);
  });

  it('sends along what the configuration says, read anew each time, and refuses one that cannot be read', async () => {
    let reads = 0;
    const read = (devConfig: string): object => {
      if (devConfig.includes('wrong')) throw new Error('unknown option');
      return { devConfig, reads: reads++ };
    };
    const script: Script = {
      ...basic,
      reload: () => hosted(),
      reconfigure: () => ({ tcmu: { ...tcmu, devConfig: 'memory/?size=2M' }, state: hosted() }),
    };
    const { host, hosts } = await supervise(() => script, undefined, read);
    await host.reconfigure('memory/?size=2M\n');
    await host.reload();
    expect((await failureOf(() => host.reconfigure('memory/?wrong=1'))).message).to.equal('unknown option');
    const sent = hosts[0].parameters.map((parameters) => (parameters as { config?: object }).config);
    expect(sent).to.deep.equal([
      { devConfig: tcmu.devConfig, reads: 0 },
      { devConfig: 'memory/?size=2M\n', reads: 1 },
      { devConfig: 'memory/?size=2M', reads: 2 },
    ]);
    await host.close();
  });

  it('tells why a device cannot be opened, with the errno, and ends the host', async () => {
    let host: ScriptedHost | undefined;
    const refused = await SupervisedHost.open({
      tcmu,
      isolation: 'thread',
      log: new SupervisorLog() as never,
      connect: () =>
        new HostConnection(
          (_start, listener) =>
            (host = new ScriptedHost(
              {
                open: () => {
                  throw Object.assign(new Error('no such image'), { code: 'ENOENT' });
                },
              },
              listener,
            )),
          { handlers: { modules: [] }, settings: {}, log: { level: 'info', format: 'json' } },
        ),
    }).catch((error: NodeJS.ErrnoException) => error);
    expect(refused).to.include({ message: 'no such image', code: 'ENOENT' });
    expect(host?.isDead).to.equal(true);
  });

  for (const call of ['ready', 'open']) {
    it(`does not wait for ever for '${call}', and ends the host`, async () => {
      let host: ScriptedHost | undefined;
      const refused = await failureOf(() =>
        SupervisedHost.open({
          tcmu,
          isolation: 'thread',
          log: new SupervisorLog() as never,
          openTimeout: 20,
          patience: { load: 20, answer: 20 },
          connect: () =>
            new HostConnection(
              (_start, listener) => {
                const silent = { onExit: listener.onExit.bind(listener), onMessage: () => undefined };
                host = new ScriptedHost({}, call === 'ready' ? silent : listener);
                host.isStuck = true;
                return host;
              },
              {
                handlers: { modules: [] },
                settings: {},
                log: { level: 'info', format: 'json' },
              },
            ),
        }),
      );
      expect(refused).to.have.property('code', 'ETIMEDOUT');
      expect(refused.message).to.match(/^its host had not (loaded|opened)/);
      expect(host?.isDead).to.equal(true);
    });
  }

  it('waits for a device that a host which has just died still holds', async () => {
    let tries = 0;
    const { host } = await supervise(() => ({
      ...basic,
      open: () => {
        if (++tries < 3) throw Object.assign(new Error('in use'), { code: 'EBUSY' });
        return hosted();
      },
    }));
    expect(tries).to.equal(3);
    await host.close();
  });

  it('is started again when it dies, and is told what the one before it knew', async () => {
    const { host, hosts, log } = await supervise();
    await host.setWriteCache(false);
    await host.pause();
    hosts[0].die('it was killed by SIGKILL');
    await until('a second host', async () => hosts.length === 2 && (await serving(host)));
    expect(hosts[1].parameters[0]).to.deep.include({ paused: true, writeCache: false });
    expect((await host.details()).restarts).to.equal(1);
    expect(log.lines[0]).to.match(/^error: user_0\/disk1: its host \(process 4711\) died: .*SIGKILL/);
    expect(log.lines.at(-1)).to.match(/^info: user_0\/disk1: served again by a new host after \d+ ms$/);
    await host.close();
  });

  it('is started again and again where that fails, with longer pauses', async () => {
    const { host, hosts, log } = await supervise((started) =>
      started === 1
        ? {
            open: () => {
              throw new Error('not yet');
            },
          }
        : basic,
    );
    hosts[0].die();
    await until('the death', async () => (await host.details()).state === 'restarting');
    await until('a third host', async () => hosts.length === 3 && (await serving(host)));
    expect(log.lines).to.include('error: user_0/disk1: no new host yet, next try in 0.2 s: not yet');
    await host.close();
  });

  it('goes on with its counters', async () => {
    const { host, hosts } = await supervise();
    expect((await host.statistics()).commands).to.equal(3);
    hosts[0].listener.onMessage({ kind: 'heartbeat', statistics: report(10), state: 'serving' });
    hosts[0].die();
    await until('the death', async () => (await host.details()).state === 'restarting');
    expect((await host.statistics()).commands).to.equal(10);
    await until('a second host', () => serving(host));
    const sum = await host.statistics();
    expect(sum).to.deep.include({ commands: 13, reads: 13, readBytes: 512 * 13, senseKeys: [0, 2] });
    expect(sum.latency).to.deep.equal({ samples: 2, total: 4, buckets: [0, 13] });
    await host.close();
  });

  it('fails what was asked of a host that dies, and what is asked while there is none', async () => {
    const { host, hosts } = await supervise();
    hosts[0].isStuck = true;
    const resized = host.resize(4096).catch((error: NodeJS.ErrnoException) => error);
    hosts[0].die('out of memory');
    expect(await resized).to.include({
      code: 'EIO',
      message: 'the host of the device is gone: out of memory',
    });
    const refused = await host.resize(4096).catch((error: NodeJS.ErrnoException) => error);
    expect(refused).to.include({ code: 'EAGAIN' });
    await host.close();
  });

  it('keeps what it was reconfigured to', async () => {
    const changed = { ...tcmu, cfgstring: '?size=2M', devConfig: 'memory/?size=2M' };
    const { host, hosts } = await supervise(() => ({
      ...basic,
      reconfigure: () => ({ tcmu: changed, state: hosted({ size: 2 << 20 }) }),
    }));
    await host.reconfigure('memory/?size=2M');
    expect(host.size).to.equal(2 << 20);
    hosts[0].die();
    await until('a second host', () => hosts.length === 2 && hosts[1].parameters.length > 0);
    expect(hosts[1].parameters[0]).to.deep.include({ tcmu: changed });
    await host.close();
  });

  it('goes on with traces, which end when the device is closed', async () => {
    const { host, hosts } = await supervise();
    const batches: TraceBatch[] = [];
    host.trace((batch) => batches.push(batch));
    hosts[0].die();
    await until('a second host', async () => hosts.length === 2 && (await serving(host)));
    expect(hosts[1].calls).to.include('trace');
    hosts[1].listener.onMessage({ kind: 'trace', batch: { commands: [], dropped: 2, ended: false } });
    await host.close();
    expect(batches.map(({ dropped, ended }) => [dropped, ended])).to.deep.equal([
      [2, false],
      [0, true],
    ]);
  });

  it('stops trying when it is closed', async () => {
    const { host, hosts } = await supervise();
    hosts[0].die();
    await until('the death', async () => (await host.details()).state === 'restarting');
    await host.close();
    await new Promise((resolve) => setTimeout(resolve, 250));
    expect(hosts.length).to.equal(1);
    expect((await host.details()).state).to.equal('closed');
  });

  it('is ended and started again when it does not answer for too long, where that is wished', async () => {
    const { host, hosts, log } = await supervise(undefined, 100);
    hosts[0].isStuck = true;
    await until('a second host', async () => hosts.length === 2 && (await serving(host)));
    expect(log.lines[0]).to.match(/its host has not answered for \d+ ms: ended/);
    await host.close();
  });

  it('is ended and started again when it says that a command is stuck', async () => {
    const { host, hosts, log } = await supervise();
    hosts[0].listener.onMessage({ kind: 'stuck', reason: 'command 7 does not end' });
    await until('a second host', async () => hosts.length === 2 && (await serving(host)));
    expect(log.lines[0]).to.match(/its host is ended, for command 7 does not end/);
    expect(hosts[0].isDead).to.equal(true);
    await host.close();
  });

  it('says that data is lost which was in its memory', async () => {
    const { host, hosts, log } = await supervise(() => ({ ...basic, open: () => hosted({}, true) }));
    expect(host.holdsData).to.equal(true);
    hosts[0].die();
    await until('the log', () => log.lines.some((line) => /and is lost/.test(line)));
    await host.close();
  });

  it('passes on how reloads went', async () => {
    const { host } = await supervise(() => ({
      ...basic,
      reload: () => {
        throw new Error('syntax');
      },
      reloadModule: () => ({
        outcomes: [{ device: 'user_0/disk1', error: plainError(new Error('no such verb')) }],
        state: hosted(),
      }),
    }));
    expect(await host.reload().catch((error: Error) => error.message)).to.equal('syntax');
    const [{ error }] = await host.reloadModule('./x.ts');
    expect(error?.message).to.equal('no such verb');
    await host.close();
  });
});
