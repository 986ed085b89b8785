import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { Command, CommanderError } from 'commander';
import { addControlCommands } from '../../src/cli/control-commands.js';
import * as cdb from '../../src/scsi/cdb.js';
import { ControlRig } from '../daemon/control/support.js';

const root = fileURLToPath(new URL('../../', import.meta.url));

interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Run the command line as a process of its own, while this one is the daemon. */
async function lunette(...args: string[]): Promise<Ended> {
  const child = spawn(process.execPath, ['--import', 'tsx', join(root, 'src/cli/main.ts'), ...args], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, NODE_OPTIONS: '', NODE_V8_COVERAGE: '' },
  });
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (text) => (stdout += String(text)));
  child.stderr.on('data', (text) => (stderr += String(text)));
  const status = await new Promise<number | null>((resolve) => child.on('close', resolve));
  return { status, stdout, stderr };
}

let last: Promise<unknown> = Promise.resolve();

/** The same in this process, which is quicker; one after the other, as they share the console. */
function inProcess(...args: string[]): Promise<Ended> {
  const ended = last.then(async () => {
    const output = { stdout: '', stderr: '' };
    const { log, error } = console;
    Object.assign(console, {
      log: (text: string) => void (output.stdout += `${text}\n`),
      error: (text: string) => void (output.stderr += `${text}\n`),
    });
    try {
      const program = new Command('lunette').configureOutput({ writeErr: () => undefined });
      program.exitOverride();
      addControlCommands(program);
      await program.parseAsync(args, { from: 'user' });
      return { status: 0, ...output };
    } catch (failure) {
      const { message, exitCode = 1 } = failure as { message: string; exitCode?: number };
      const status = failure instanceof CommanderError ? 2 : exitCode;
      return { status, ...output, stderr: `lunette: ${message}\n` };
    } finally {
      Object.assign(console, { log, error });
    }
  });
  last = ended;
  return ended;
}

describe('the command line over a running daemon', () => {
  let rig: ControlRig;
  const run = (...args: string[]): Promise<Ended> => inProcess(...args, '--control', rig.path);

  before(async () => {
    rig = await ControlRig.start('user_0/disk1', 'user_1/disk1', 'user_0/disk2');
  });

  after(() => rig.close());

  /** Reads on disk2, one after the other, until told to stop. */
  function load(): () => Promise<void> {
    const { kernel } = rig.daemon.rigs.get('user_0/disk2')!;
    let stopped = false;
    const running = (async () => {
      while (!stopped) {
        await Promise.all(
          Array.from({ length: 8 }, () => kernel.send({ cdb: cdb.read10(0, 8), dataInLength: 4096 })),
        );
        await kernel.send({ cdb: cdb.read10(1 << 20, 1), dataInLength: 512 });
        await new Promise(setImmediate);
      }
    })();
    return () => {
      stopped = true;
      return running;
    };
  }

  it('lists devices, for people and for programs', async () => {
    const [people, programs] = await Promise.all([lunette('ls', '--control', rig.path), run('ls', '--json')]);
    expect(people).to.include({ status: 0, stderr: '' });
    expect(people.stdout).to.match(/^DEVICE +TRANSPORT +STATE +HANDLER +SIZE +IN FLIGHT$/m);
    expect(people.stdout).to.match(/^user_0\/disk2 +TCMU +serving +test +1 MiB +0$/m);
    const names = (JSON.parse(programs.stdout) as { name: string }[]).map(({ name }) => name);
    expect(names).to.deep.equal(['user_0/disk1', 'user_1/disk1', 'user_0/disk2']);
  });

  it('lists nothing where nothing is served', async () => {
    const empty = await ControlRig.start();
    const [people, programs] = await Promise.all([
      inProcess('ls', '--control', empty.path),
      inProcess('stats', '--control', empty.path),
    ]);
    await empty.close();
    expect(people.stdout).to.match(/no device.*targetcli/);
    expect(programs.stdout).to.match(/no device/);
  });

  it('shows one device, and says which it could be', async () => {
    const [people, programs, ambiguous] = await Promise.all([
      run('show', 'disk2'),
      run('show', 'user_1/disk1', '--json'),
      run('show', 'disk1'),
    ]);
    expect(people.stdout)
      .to.match(/^size +1 MiB \(1048576 bytes\)$/m)
      .and.match(/^configuration +test\/config$/m);
    expect(JSON.parse(programs.stdout)).to.include({ name: 'user_1/disk1', blockSize: 512 });
    expect(ambiguous.status).to.equal(1);
    expect(ambiguous.stderr).to.equal("lunette: 'disk1' could be any of user_0/disk1, user_1/disk1\n");
  });

  it('pauses, resumes and reloads', async () => {
    expect(await run('pause', 'user_1/disk1', '--timeout', '1')).to.include({
      status: 0,
      stdout: 'user_1/disk1: paused\n',
    });
    const resumed = await run('resume', 'user_1/disk1', '--json');
    expect(JSON.parse(resumed.stdout)).to.deep.equal({ name: 'user_1/disk1', state: 'serving' });
    const [refused, wrong] = await Promise.all([
      run('reload', 'user_1/disk1'),
      run('pause', 'user_1/disk1', '--timeout', 'soon'),
    ]);
    expect(refused.status).to.equal(1);
    expect(refused.stderr).to.match(/^lunette: .*cannot load/);
    expect(wrong.stderr).to.match(/--timeout/);
  });

  it('shows counters, and rates as they change', async () => {
    const stop = load();
    const [totals, json, watched, rates] = await Promise.all([
      run('stats'),
      run('stats', 'disk2', '--json'),
      run('stats', '--watch', '--interval', '0.2', '--count', '2'),
      run('stats', 'disk2', '--watch', '--interval', '0.2', '--count', '2', '--json'),
    ]);
    await stop();
    expect(totals.stdout).to.match(
      /^DEVICE +COMMANDS +READS +WRITES +MiB READ +MiB WRITTEN +IN FLIGHT +ERRORS/m,
    );
    expect(totals.stdout).to.match(/^user_0\/disk2 +\d+ .* µs +[\d.]+ µs$/m);
    const [disk] = JSON.parse(json.stdout) as { reads: number; errors: number }[];
    expect(disk.reads).to.be.at.least(1);
    expect(watched.stdout.match(/^DEVICE +READS\/s/gm)).to.have.length(2);
    expect(watched.stdout).not.to.include('\u001b');
    const lines = rates.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { devices: { readsPerSecond: number }[] });
    expect(lines).to.have.length(2);
    expect(lines[1].devices[0].readsPerSecond).to.be.greaterThan(0);
  });

  it('traces commands', async () => {
    const stop = load();
    const [people, programs] = await Promise.all([
      run('trace', 'disk2', '--count', '30'),
      run('trace', 'disk2', '--count', '5', '--json'),
    ]);
    await stop();
    expect(people.status).to.equal(0);
    expect(people.stdout.trim().split('\n')).to.have.length(31);
    expect(people.stdout).to.match(
      /^\d\d:\d\d:\d\d\.\d{3} READ\(10\) +GOOD +[\d.]+ µs +4096 +28 00 00 00 00 00 00 00 08 00$/m,
    );
    expect(people.stdout).to.match(/READ\(10\) +CHECK CONDITION 05\/21\/00/);
    const commands = programs.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { name: string });
    expect(commands.map(({ name }) => name)).to.deep.equal(Array.from({ length: 5 }, () => 'READ(10)'));
  });

  it('shows and changes the log level, and who answers', async () => {
    expect((await run('log-level')).stdout).to.equal('info\n');
    expect((await run('log-level', 'debug')).stdout).to.equal('debug\n');
    expect(rig.daemon.logLevel).to.equal('debug');
    const [json, wrong, who, whoJson] = await Promise.all([
      run('log-level', '--json'),
      run('log-level', 'loud'),
      run('control'),
      run('control', '--json'),
    ]);
    expect(JSON.parse(json.stdout)).to.deep.equal({ level: 'debug' });
    expect(wrong.status).to.equal(2);
    expect(who.stdout).to.match(new RegExp(`^lunette 1\\.2\\.3, process ${process.pid}, up \\d+ s`));
    expect(JSON.parse(whoJson.stdout)).to.include({ version: '1.2.3', path: rig.path });
  });

  it('prints the interface without a daemon', async () => {
    const { status, stdout } = await inProcess('control', '--schema', '--control', '/nowhere');
    expect(status).to.equal(0);
    const { methods } = JSON.parse(stdout) as { methods: { name: string; params: { name: string }[] }[] };
    expect(methods.find(({ name }) => name === 'pause')?.params.map(({ name }) => name)).to.deep.equal([
      'device',
      'timeout',
    ]);
  });

  it('ends with 3 where no daemon listens, and says how to start one', async () => {
    const { status, stdout, stderr } = await lunette('ls', '--control', join(rig.folder, 'none'));
    expect({ status, stdout }).to.deep.equal({ status: 3, stdout: '' });
    expect(stderr).to.match(/^lunette: no daemon listens at .*sudo lunette serve.*\n$/);
  });

  it('refuses counts and intervals that are none', async () => {
    const [count, interval, reports] = await Promise.all([
      run('trace', 'disk2', '--count', '0'),
      run('stats', '--watch', '--interval', '0'),
      run('stats', '--watch', '--count', 'many'),
    ]);
    expect(count.stderr).to.match(/--count/);
    expect(interval.stderr).to.match(/--interval/);
    expect(reports.stderr).to.match(/--count/);
  });
});
