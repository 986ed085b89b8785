import { expect } from 'chai';
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { Daemon } from './support/daemon.js';
import { freshImage } from './support/disks.js';
import { histogram } from './support/histogram.js';
import { KernelLog } from './support/kernel-log.js';
import { Load } from './support/load.js';
import { LoopbackLun } from './support/lun.js';
import { bash, run } from './support/run.js';
import { until } from './support/wait.js';

/** How often: LUNETTE_TAKE_OVERS=50 LUNETTE_RELOADS=50 for a run that counts. */
const takeOvers = Number(process.env.LUNETTE_TAKE_OVERS ?? 5);
const reloads = Number(process.env.LUNETTE_RELOADS ?? 5);

function stallsOf(daemon: Daemon, message: RegExp): number[] {
  return daemon.log
    .filter(({ msg }) => message.test(msg))
    .map(({ msg, stall }) => (typeof stall === 'number' ? stall : Number(/([\d.]+) ms/.exec(msg)?.[1])));
}

const folder = '/tmp/handlers';
const module = `${folder}/versioned.ts`;

/** A handler over a file, whose source has a version. */
const source = (version: number, body = ''): string => `
import { open } from 'node:fs/promises';
import { defineHandler } from 'lunette';
import { z } from 'zod';
export default defineHandler({
  name: 'versioned',
  description: 'version ${version}',
  config: z.object({ path: z.string() }),
  positional: 'path',
  async open({ path }, { size = 0, log }) {
    ${body}
    const file = await open(path, 'r+').catch(() => open(path, 'wx+'));
    await file.truncate(size);
    log.info('version ${version} opened');
    return {
      size,
      read: async (buffer, offset) => void (await file.read(buffer, 0, buffer.length, offset)),
      write: async (buffer, offset) => void (await file.write(buffer, 0, buffer.length, offset)),
      flush: () => file.datasync(),
      close: () => file.close(),
    };
  },
});
`;

describe('take-over and hot reload under load', () => {
  let kernelLog: KernelLog;
  let daemon: Daemon;
  let raw: LoopbackLun;
  let mounted: LoopbackLun;
  /** Started by the daemon itself. */
  let successorId: number | undefined;

  before(async () => {
    kernelLog = await KernelLog.fromNow();
    mkdirSync(folder, { recursive: true });
    writeFileSync(module, source(0));
    daemon = await Daemon.start(['--handler', module]);
    raw = await LoopbackLun.create({ backstore: 'user:versioned', size: '64M', cfgstring: freshImage() });
    mounted = await LoopbackLun.create({
      backstore: 'user:file',
      size: '128M',
      cfgstring: `${freshImage()}?create=1`,
    });
    await bash(`mkdir -p /mnt/over; mkfs.ext4 -q ${mounted.path}; mount ${mounted.path} /mnt/over
      head -c 16M /dev/urandom >/tmp/over; cp /tmp/over /mnt/over/data`);
  });

  after(async () => {
    await bash('umount /mnt/over || true', { mayFail: true });
    await mounted?.remove();
    await raw?.remove();
    if (successorId !== undefined) process.kill(successorId, 'SIGTERM');
    else if (daemon?.isRunning) await daemon.stop();
    await until('the daemon to leave', () => !daemon.isRunning);
  });

  const filesAreRight = (): Promise<unknown> =>
    bash('sync; echo 3 >/proc/sys/vm/drop_caches; cmp /tmp/over /mnt/over/data; date >/mnt/over/now; sync');

  it(`goes on in ${takeOvers} new daemons, one after the other, and no initiator notices`, async function () {
    this.timeout(60_000 + takeOvers * 60_000);
    const load = new Load(raw.path);
    const stalls: number[] = [];
    for (let round = 0; round < takeOvers; round++) {
      const next = await Daemon.start(['--handler', module, '--take-over']);
      stalls.push(...stallsOf(next, /taken over; commands waited/));
      await until('the old daemon to leave', () => !daemon.isRunning);
      expect(await daemon.exited, daemon.everything()).to.equal(0);
      expect(daemon.complaints()).to.deep.equal([]);
      daemon = next;
      await filesAreRight();
    }
    await load.end();
    expect(stalls).to.have.length(2 * takeOvers);
    process.stdout.write(`${histogram('take-overs of a device', stalls)}\n`);
  });

  it('takes back what it handed over to a daemon that dies, and no initiator notices', async () => {
    const load = new Load(raw.path);
    writeFileSync(module, source(0, 'await new Promise(() => undefined);'));
    const before = daemon.log.length;
    const next = spawn(
      process.execPath,
      ['dist/cli/main.js', 'serve', '--take-over', '--log-level', 'warn', '--handler', module],
      { stdio: 'ignore' },
    );
    await until(
      `${raw.name} being handed over`,
      () => daemon.log.slice(before).some(({ msg }) => msg.includes(`/${raw.name}: closed`)),
      60_000,
    );
    writeFileSync(module, source(0));
    next.kill('SIGKILL');
    await until('the old daemon to serve it again', () =>
      daemon.log.slice(before).some(({ msg }) => msg.includes(`/${raw.name}: serving`)),
    );
    await filesAreRight();
    await load.end();
  });

  it('goes on as before where the new daemon cannot serve all that it should', async () => {
    const load = new Load(raw.path);
    const refused = await Daemon.refused([
      '--handler',
      module,
      '--take-over',
      '--iscsi',
      '192.0.2.1',
      '--allow-anyone',
    ]);
    expect(refused.status, refused.output).not.to.equal(0);
    await daemon.logged('going on', /going on as before/);
    await filesAreRight();
    await load.end();
    const { stdout } = await run(process.execPath, ['dist/cli/main.js', 'ls']);
    expect(stdout).to.include(raw.name);
  });

  it(`takes new code ${reloads} times by \`lunette reload\``, async function () {
    this.timeout(60_000 + reloads * 60_000);
    const load = new Load(raw.path);
    for (let round = 1; round <= reloads; round++) {
      writeFileSync(module, source(round));
      await run(process.execPath, ['dist/cli/main.js', 'reload', raw.name]);
      await daemon.logged('the new version', new RegExp(`^version ${round} opened$`));
    }
    await load.end();
    process.stdout.write(`${histogram('hot reloads', stallsOf(daemon, /the disk was replaced/))}\n`);
  });

  it('keeps the old code where the new one cannot be loaded or opened, and says why', async () => {
    const load = new Load(raw.path);
    for (const [text, reason] of [
      ['export default 1 +', /cannot be loaded/],
      [source(100, "throw new Error('no such luck');"), /no such luck/],
    ] as const) {
      writeFileSync(module, text);
      const result = await run(process.execPath, ['dist/cli/main.js', 'reload', raw.name], { mayFail: true });
      expect(result.status).not.to.equal(0);
      expect(result.output).to.match(reason);
    }
    await load.end();
    writeFileSync(module, source(101));
  });

  it('takes new code on save with `lunette dev`, and keeps the old where it is broken', async () => {
    const load = new Load(raw.path);
    const next = await Daemon.start(['--take-over'], ['dev', module]);
    await until('the old daemon to leave', () => !daemon.isRunning);
    daemon = next;
    writeFileSync(module, source(200));
    await daemon.logged('the new version', /^version 200 opened$/);
    await daemon.logged('the reload', /new code after/);
    writeFileSync(module, 'export default {');
    await daemon.logged('the refusal', /the old code serves on: .*cannot be loaded/);
    writeFileSync(module, source(201, "throw new Error('no such luck');"));
    await daemon.logged('the refusal', /the old code serves on: no such luck/);
    writeFileSync(module, source(202));
    await daemon.logged('the new version', /^version 202 opened$/);
    await load.end();
  });

  it('takes another dev_config under load, refuses a bad one, and grows and shrinks', async () => {
    const load = new Load(raw.path);
    const { image } = mounted;
    const config = `${mounted.configfs}/attrib/dev_config`;
    writeFileSync(config, `file/${image}?io=sync`);
    await daemon.logged('the new configuration', /now serving file\/.*io=sync/);
    await filesAreRight();
    expect(() => writeFileSync(config, `file/${image}?io=fast`)).to.throw(/EINVAL/);
    expect(() => writeFileSync(config, 'memory/')).to.throw(/EINVAL/);
    await filesAreRight();
    writeFileSync(`${mounted.configfs}/attrib/emulate_write_cache`, '0');
    await filesAreRight();
    await load.end();
  });

  it('starts its successor by itself on SIGHUP', async () => {
    const load = new Load(raw.path);
    const { pid } = daemon;
    daemon.signal('SIGHUP');
    const { successor } = await daemon.logged('the successor', /has taken over$/, 60_000);
    await until('the old daemon to leave', () => !existsSync(`/proc/${pid}`));
    await filesAreRight();
    await load.end();
    // It has the old one's output, which ends with it.
    process.kill(Number(successor), 'SIGHUP');
    await daemon.logged(
      'the next but one',
      new RegExp(`"?process (?!${Number(successor)}\\b)\\d+ has taken over$`),
      60_000,
    );
    const last = daemon.log.filter(({ msg }) => /has taken over$/.test(msg)).at(-1);
    await filesAreRight();
    successorId = Number(last?.successor);
  });

  it('has left no trace in the kernel’s log', async () => {
    await bash(`umount /mnt/over; e2fsck -fn ${mounted.path}`);
    expect(await kernelLog.alarms(/Capacity data|Mode parameters|INQUIRY data/)).to.deep.equal([]);
  });
});

for (const isolation of ['process', 'none']) {
  describe(`take-over and hot reload under load, with --isolate ${isolation}`, () => {
    const args = ['--handler', module, '--isolate', isolation];
    const times = Math.min(takeOvers, 2);
    let kernelLog: KernelLog;
    let daemon: Daemon;
    let lun: LoopbackLun;

    before(async () => {
      kernelLog = await KernelLog.fromNow();
      mkdirSync(folder, { recursive: true });
      writeFileSync(module, source(0));
      daemon = await Daemon.start(args);
      lun = await LoopbackLun.create({ backstore: 'user:versioned', size: '64M', cfgstring: freshImage() });
    });

    after(async () => {
      await lun?.remove();
      if (daemon?.isRunning) await daemon.stop();
    });

    it(`goes on in ${times} new daemons, takes new code ${times} times, and no initiator notices`, async () => {
      const load = new Load(lun.path);
      for (let round = 1; round <= times; round++) {
        const next = await Daemon.start([...args, '--take-over']);
        await until('the old daemon to leave', () => !daemon.isRunning);
        expect(await daemon.exited, daemon.everything()).to.equal(0);
        expect(daemon.complaints()).to.deep.equal([]);
        daemon = next;
        writeFileSync(module, source(round));
        await run(process.execPath, ['dist/cli/main.js', 'reload', lun.name]);
        await daemon.logged('the new version', new RegExp(`^version ${round} opened$`));
      }
      await load.end();
      expect(daemon.complaints()).to.deep.equal([]);
      expect(await kernelLog.alarms(/Capacity data|Mode parameters|INQUIRY data/)).to.deep.equal([]);
    });
  });
}
