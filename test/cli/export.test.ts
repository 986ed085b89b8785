import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { Initiator } from '../../src/testing/initiator.js';
import { IscsiTransport } from '../../src/testing/iscsi-transport.js';
import { failure } from './support/failure.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
const env = { ...process.env, NODE_OPTIONS: '', NODE_V8_COVERAGE: '' };
const command = (args: string[]) => ['--import', 'tsx', join(root, 'src/cli/main.ts'), ...args];

/** `lunette export` as a process of its own, until a signal. */
class Export {
  readonly child: ChildProcess;
  readonly #urls: string[] = [];

  private constructor(args: string[]) {
    this.child = spawn(process.execPath, command(['export', ...args]), { cwd: root, env });
  }

  static async start(...args: string[]): Promise<Export> {
    const started = new Export(args);
    const lines = createInterface({ input: started.child.stdout! });
    const [url] = (await once(lines, 'line')) as [string];
    started.#urls.push(url);
    return started;
  }

  get url(): string {
    return this.#urls[0];
  }

  async connect(): Promise<IscsiTransport> {
    const [, host, port, target] = /^iscsi:\/\/([^:]+):(\d+)\/([^/]+)\/0$/.exec(this.url)!;
    return IscsiTransport.connect({ host, port: Number(port), target });
  }

  async stop(): Promise<number | null> {
    if (this.child.exitCode !== null) return this.child.exitCode;
    const gone = once(this.child, 'exit');
    this.child.kill('SIGINT');
    const [code] = (await gone) as [number | null];
    return code;
  }
}

describe('lunette export', () => {
  let running: Export | undefined;
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'lunette-export-'));
  });
  afterEach(async () => {
    await running?.stop();
    running = undefined;
    rmSync(folder, { recursive: true });
  });

  it('prints its URL on a line of its own, serves, and leaves at SIGINT', async () => {
    running = await Export.start('memory', '--size', '64M', '--iscsi', '127.0.0.1:0');
    expect(running.url).to.match(/^iscsi:\/\/127\.0\.0\.1:\d+\/iqn\.2026-11\.org\.lunette:memory\/0$/);
    const transport = await running.connect();
    const initiator = new Initiator(transport);
    expect(await initiator.readCapacity()).to.include({ blocks: 131_072, blockSize: 512, thin: true });
    const data = new Uint8Array(1024 * 1024).map((_, index) => index * 7);
    await initiator.write(128, data);
    expect(Buffer.compare(await initiator.read(128, 2048), data)).to.equal(0);
    await transport.close();
    expect(await running.stop()).to.equal(0);
  });

  it('keeps the data of a file from one run to the next', async () => {
    const definition = `file/${join(folder, 'disk.img')}?create=1`;
    running = await Export.start(definition, '--size', '8M', '--iscsi', '127.0.0.1:0');
    const first = await running.connect();
    await new Initiator(first).write(5, new Uint8Array(512).fill(0x5a));
    await first.close();
    await running.stop();
    expect(readFileSync(join(folder, 'disk.img'))[5 * 512]).to.equal(0x5a);
    running = await Export.start(definition, '--size', '8M', '--iscsi', '127.0.0.1:0');
    const second = await running.connect();
    expect((await new Initiator(second).read(5, 1))[511]).to.equal(0x5a);
    await second.close();
  });

  it('exports read-only, with a physical block size, a serial number and a name of one’s choice', async () => {
    running = await Export.start(
      ...['memory', '--size', '8M', '--iscsi', '127.0.0.1:0', '--read-only'],
      ...['--physical-block-size', '4K', '--serial', 'abc123', '--name', 'iqn.2026-11.org.example:mine'],
    );
    expect(running.url).to.include('/iqn.2026-11.org.example:mine/0');
    const transport = await running.connect();
    const initiator = new Initiator(transport);
    expect(await initiator.serialNumber()).to.equal('abc123');
    expect(await initiator.readCapacity()).to.include({ physicalBlockSize: 4096 });
    const error = await failure(initiator.write(0, new Uint8Array(512)));
    expect(error.message).to.include('7/27/00');
    await transport.close();
  });

  it('takes no initiator that does not know the password', async () => {
    running = await Export.start(
      ...['memory', '--size', '8M', '--iscsi', '127.0.0.1:0', '--chap', 'alice:correct-horse-battery'],
    );
    const error = await failure(running.connect());
    expect(error.message).to.match(/refused the login|closed/);
  });

  for (const [args, wanted] of [
    [['memory', '--size', '8M', '--iscsi', '0.0.0.0:0'], /--allow-anyone/],
    [['memroy', '--size', '8M'], /did you mean 'memory'/],
    [['memory', '--size', '8X'], /--size: .*512M/],
    [['memory', '--size', '8M', '--name', 'not a name', '--iscsi', '127.0.0.1:0'], /not a name/],
    [['file//no/such/file'], /\/no\/such\/file/],
  ] as const) {
    it(`says in one line what is wrong with ${args.join(' ')}`, () => {
      const { status, stderr } = spawnSync(process.execPath, command(['export', ...args]), {
        cwd: root,
        env,
        encoding: 'utf8',
        timeout: 15_000,
      });
      expect(status).to.equal(1);
      expect(stderr).to.match(wanted);
      expect(stderr.trim().split('\n')).to.have.length(1);
    });
  }
});
