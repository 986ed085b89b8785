import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { Worker } from 'node:worker_threads';
import { expect } from 'chai';
import type { FromHost, HostStart } from '../../src/daemon/host/protocol.js';

const run = promisify(execFile);
const checkout = fileURLToPath(new URL('../../', import.meta.url));

/** Packages whose code is part of the joined files: those licences ask for their text. */
const joined = ['commander', 'pino', 'zod'];

describe('scripts/bundle', () => {
  let folder: string;
  const dist = (path: string): string => join(folder, 'dist', path);

  before(async function () {
    this.timeout(120_000);
    folder = mkdtempSync(join(tmpdir(), 'lunette-bundle-'));
    for (const name of ['package.json', 'node_modules', 'build', 'share']) {
      symlinkSync(join(checkout, name), join(folder, name));
    }
    for (const name of ['cli', 'client', 'daemon/host', 'daemon/loop', 'scsi', 'testing']) {
      mkdirSync(dist(name), { recursive: true });
    }
    await run(process.execPath, [join(checkout, 'scripts/bundle.mjs'), dist('')]);
  });

  after(() => rmSync(folder, { recursive: true, force: true }));

  it('makes a command that finds its version, and a handler that takes its classes from lunette', async function () {
    this.timeout(60_000);
    const version = await run(process.execPath, [dist('cli/main.js'), '--version']);
    const { version: expected } = JSON.parse(readFileSync(join(checkout, 'package.json'), 'utf8')) as {
      version: string;
    };
    expect(version.stdout.trim()).to.equal(expected);
    const handler = join(folder, 'handler.mjs');
    writeFileSync(
      handler,
      `import { defineHandler, size } from 'lunette';
       import { z } from 'zod';
       export const own = defineHandler({
         name: 'own', description: 'One of its own', config: z.object({ size: size() }), open() {},
       });`,
    );
    const listed = await run(process.execPath, [
      dist('cli/main.js'),
      'handlers',
      '--handler',
      handler,
      '--json',
    ]);
    expect(listed.stdout).to.include('"own"').and.to.include('"memory"');
  });

  it('gives every entry point the same classes', async () => {
    const script = `
      const of = (path) => import(${JSON.stringify(`${pathToFileURL(join(folder, 'dist')).href}/`)} + path);
      const [lunette, scsi] = [await of('index.js'), await of('scsi/index.js')];
      console.log(typeof lunette.SenseError, lunette.SenseError === scsi.SenseError);`;
    const { stdout } = await run(process.execPath, ['--input-type=module', '-e', script]);
    expect(stdout.trim()).to.equal('function true');
  });

  it('makes a thread that serves handlers of its own, with or without the code that V8 made of it', async () => {
    const built = `${process.version}-${process.arch}`;
    const cache = dist(`bundle/daemon-host-built-in-thread-entry.cjs.${built}.cache`);
    const workerData: HostStart = {
      handlers: { modules: [] },
      settings: {},
      log: { level: 'error', format: 'json' },
    };
    for (const prepare of [
      () => expect(readFileSync(cache)).not.to.be.empty,
      () => writeFileSync(cache, 'nothing'),
    ]) {
      prepare();
      const worker = new Worker(dist('daemon/host/built-in-thread-entry.cjs'), { workerData, execArgv: [] });
      const [ready] = (await once(worker, 'message')) as [FromHost];
      const tcmu = { hba: 'user_0', name: 'none', subtype: 'null', cfgstring: '' };
      worker.postMessage({ id: 0, call: 'prepare', parameters: { tcmu, config: { size: 4096 } } });
      const [prepared] = (await once(worker, 'message')) as [FromHost];
      await worker.terminate();
      expect(ready).to.deep.equal({ kind: 'ready' });
      expect(prepared).to.deep.equal({ kind: 'result', id: 0, value: undefined });
    }
  });

  it('carries the licences of what it joins', () => {
    const licences = readFileSync(dist('bundle/LICENSES'), 'utf8');
    for (const name of joined) expect(licences).to.match(new RegExp(`^${name} \\d`, 'm'));
  });
});
