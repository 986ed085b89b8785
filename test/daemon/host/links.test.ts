import { expect } from 'chai';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { commandTimeout } from '../../../src/daemon/doctor/command-timeout.js';
import { readProcess, titleOf } from '../../../src/daemon/doctor/processes.js';
import { HostConnection } from '../../../src/daemon/host/host-connection.js';
import type { LinkStarter } from '../../../src/daemon/host/host-link.js';
import { ProcessLink } from '../../../src/daemon/host/process-link.js';
import type { HostStart } from '../../../src/daemon/host/protocol.js';
import { ThreadLink } from '../../../src/daemon/host/thread-link.js';
import { tcmu } from './support.js';

const start: HostStart = {
  handlers: { modules: ['./examples/ram-disk.ts'] },
  settings: { blockThreshold: 10_000 },
  log: { level: 'error', format: 'json' },
};

const links: Record<string, LinkStarter> = {
  thread: (settings, listener) => new ThreadLink(settings, listener),
  process: (settings, listener) => new ProcessLink(settings, listener),
};

for (const [kind, starter] of Object.entries(links)) {
  describe(`a host that is a ${kind}`, function () {
    this.timeout(30_000);

    it('loads handlers, answers calls with what they throw, beats, and ends at once when it is killed', async () => {
      const connection = new HostConnection(starter, start);
      await connection.ready;
      const beat = new Promise<unknown>((resolve) => {
        connection.listener = {
          onTrace: () => undefined,
          onHeartbeat: (_, state) => resolve(state),
          onStuck: () => undefined,
        };
      });
      const unknown = connection
        .call('open', { tcmu: { ...tcmu, subtype: 'nothing' }, paused: false, logLevel: 'error' })
        .catch((error: Error) => error.message);
      expect(await unknown).to.match(/no handler 'nothing'; this daemon has memory, file, null, ram/);
      const closed = connection.call('details', undefined).catch((error: Error) => error.message);
      expect(await closed).to.equal('the device is not open');
      expect(await beat).to.equal(undefined);
      if (kind === 'process') expect(connection.pid).not.to.equal(process.pid);
      await connection.kill();
      expect(connection.hasEnded).to.equal(true);
      const late = connection.call('details', undefined).catch((error: NodeJS.ErrnoException) => error.code);
      expect(await late).to.equal('EIO');
    });

    it('says why it ended where its handlers cannot be loaded', async () => {
      const connection = new HostConnection(starter, { ...start, handlers: { modules: ['./no-such.js'] } });
      const failed = await connection.ready.catch((error: Error) => error.message);
      expect(failed).to.match(/no-such\.js does not exist/);
      await connection.exited;
    });
  });
}

describe('a host that is a process', function () {
  this.timeout(30_000);

  it('shows the budget of commands in its arguments, to lunette doctor', async () => {
    const settings = { commandTimeout: 60_000, onTimeout: 'wait' } as const;
    const connection = new HostConnection(links.process, { ...start, settings });
    const shown = readProcess(
      {
        read: (path) => readFileSync(`/${path}`, 'utf8'),
        list: () => [],
        link: () => undefined,
      },
      connection.pid,
    );
    expect(commandTimeout(shown)).to.equal(0);
    expect(shown.args).to.include('--command-timeout=60');
    expect(titleOf(shown)).to.equal(`lunette (pid ${connection.pid})`);
    await connection.kill();
  });

  it('ends with the daemon, even where a handler does not let its event loop turn', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'lunette-host-'));
    const handler = join(folder, 'endless.mjs');
    writeFileSync(handler, 'for (;;);');
    const daemon = join(folder, 'daemon.mts');
    writeFileSync(
      daemon,
      `import { ProcessLink } from ${JSON.stringify(new URL('../../../src/daemon/host/process-link.ts', import.meta.url).href)};
      const start = { ...${JSON.stringify(start)}, handlers: { modules: [${JSON.stringify(handler)}] } };
      const link = new ProcessLink(start, { onMessage() {}, onExit() {} });
      console.log(link.pid);`,
    );
    const child = spawn(process.execPath, ['--import', import.meta.resolve('tsx'), daemon], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [said] = (await once(child.stdout.setEncoding('utf8'), 'data')) as [string];
    const host = (): readonly string[] | undefined => {
      try {
        return readFileSync(`/proc/${Number(said)}/stat`, 'utf8').split(' ');
      } catch {
        return undefined;
      }
    };
    // It has used two seconds, and so can only be in the handler.
    while (Number(host()![13]) < 200) await new Promise((resolve) => setTimeout(resolve, 20));
    child.kill('SIGKILL');
    for (let state: string | undefined = 'R'; state !== undefined && state !== 'Z'; state = host()?.[2]) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    rmSync(folder, { recursive: true });
  });
});

describe('a thread that is ended while it loads its modules', function () {
  this.timeout(60_000);

  const modules = (): string[] =>
    readdirSync('/proc/self/fd')
      .map((fd) => {
        try {
          return readlinkSync(`/proc/self/fd/${fd}`);
        } catch {
          // The one that this is read with.
          return '';
        }
      })
      .filter((path) => /\.[cm]?[jt]s$/.test(path));

  it('leaves none of their files open, and is not ready to anybody', async () => {
    const before = modules();
    const answers: string[] = [];
    for (const milliseconds of [0, 30, 60, 90, 120, 150, 200, 250, 300, 400]) {
      const connection = new HostConnection(links.thread, start);
      const call = connection.call('details', undefined).then(
        () => 'details',
        (error: Error) => error.message,
      );
      await new Promise((resolve) => setTimeout(resolve, milliseconds));
      await connection.kill();
      expect(connection.hasEnded).to.equal(true);
      answers.push(await call);
    }
    expect(modules()).to.deep.equal(before);
    expect(answers.join('\n')).to.match(/the device is not open|the host of the device is gone/);
  });
});
