import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, lstatSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { expect } from 'chai';
import fc from 'fast-check';
import { MAX_REQUEST } from '../../../src/daemon/control/connection.js';
import { rpcError } from '../../../src/daemon/control/json-rpc.js';
import { ControlServer } from '../../../src/daemon/control/server.js';
import * as cdb from '../../../src/scsi/cdb.js';
import { ControlRig, RawCaller, type Answer } from './support.js';

interface TraceMessage {
  readonly method: string;
  readonly params: { subscription: number; commands: { name: string }[]; dropped: number; ended?: boolean };
}

describe('the control socket', () => {
  let rig: ControlRig;
  const callers: RawCaller[] = [];
  const call = (): RawCaller => {
    const caller = new RawCaller(rig.path);
    callers.push(caller);
    return caller;
  };
  const failure = async (listening: Promise<unknown>): Promise<Error> => {
    try {
      await listening;
    } catch (error) {
      return error as Error;
    }
    throw new Error('it listens');
  };

  beforeEach(async () => {
    rig = await ControlRig.start('user_0/disk1');
  });

  afterEach(async () => {
    for (const { socket } of callers.splice(0)) socket.destroy();
    await rig.close();
  });

  it('is for its owner alone, and its folder holds nothing else', () => {
    const stats = lstatSync(rig.path);
    expect(stats.isSocket()).to.equal(true);
    expect(stats.mode & 0o777).to.equal(0o600);
    expect(readdirSync(rig.folder)).to.deep.equal(['control.sock']);
  });

  it('is gone when it is closed, and every caller is hung up on', async () => {
    const caller = call();
    await caller.call('version');
    await rig.server?.close();
    await rig.server?.close();
    await caller.closed;
    expect(readdirSync(rig.folder)).to.deep.equal([]);
  });

  it('refuses a second daemon, which says who is there, and goes on', async () => {
    const { message } = await failure(rig.listen());
    expect(message).to.include(`process ${process.pid}`).and.include(rig.path).and.include('--control');
    expect((await call().call('version')).result?.pid).to.equal(process.pid);
    expect(readdirSync(rig.folder)).to.deep.equal(['control.sock']);
  });

  it('replaces the socket of a daemon that was killed', async () => {
    await rig.server?.close();
    const script = `require('net').createServer().listen(process.argv[1], () => console.log('up'))`;
    const child = spawn(process.execPath, ['-e', script, rig.path], { stdio: ['ignore', 'pipe', 'inherit'] });
    await once(child.stdout, 'data');
    expect((await failure(rig.listen())).message).to.include(`process ${child.pid}`);
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(lstatSync(rig.path).isSocket()).to.equal(true);
    rig.server = await rig.listen();
    expect((await call().call('version')).result?.version).to.equal('1.2.3');
  });

  it('lets one of several have it that start at once', async () => {
    await rig.server?.close();
    const attempts = await Promise.allSettled([rig.listen(), rig.listen()]);
    const started = attempts.filter(({ status }) => status === 'fulfilled');
    expect(started).to.have.length(1);
    [rig.server] = started.map((attempt) => (attempt as PromiseFulfilledResult<typeof rig.server>).value);
    expect((await call().call('version')).result?.version).to.equal('1.2.3');
  });

  it('leaves a file alone that is no socket', async () => {
    await rig.server?.close();
    writeFileSync(rig.path, 'precious');
    expect((await failure(rig.listen())).message).to.match(/is no socket/);
    expect(readFileSync(rig.path, 'utf8')).to.equal('precious');
  });

  it('does not take away the socket of another that has replaced it', async () => {
    rmSync(rig.path);
    const other = createServer().listen(rig.path);
    await once(other, 'listening');
    await rig.server?.close();
    expect(lstatSync(rig.path).isSocket()).to.equal(true);
    other.close();
  });

  it('says so where the path is too long for a socket', async () => {
    const path = `${rig.folder}/${'x'.repeat(100)}`;
    const starting = ControlServer.start({ path, target: rig.daemon, log: rig.log });
    expect((await failure(starting)).message).to.match(/too long/);
  });

  (process.getuid?.() === 0 ? it : it.skip)(
    'serves root and its own user, whatever the mode',
    async function () {
      chmodSync(rig.folder, 0o755);
      chmodSync(rig.path, 0o666);
      const script = `const socket = require('net').connect(process.argv[1]);
      socket.on('error', () => undefined).pipe(process.stdout);
      socket.write('{"jsonrpc":"2.0","id":1,"method":"version"}\\n');`;
      const child = spawn(process.execPath, ['-e', script, rig.path], {
        uid: 65534,
        gid: 65534,
        cwd: '/',
        env: {},
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      const [text] = (await once(child.stdout, 'data')) as [Buffer];
      child.kill();
      expect((JSON.parse(String(text)) as Answer).error?.message).to.match(/user 65534 .*may not/);
      expect(rig.log.lines[0]).to.match(/^warn: control: user 65534/);
    },
  );

  it('answers two callers, each its own', async () => {
    const [one, two] = [call(), call()];
    one.say({ jsonrpc: '2.0', id: 'one', method: 'list' });
    two.say({ jsonrpc: '2.0', id: 'two', method: 'version' });
    expect((await two.answer()).id).to.equal('two');
    expect((await one.answer()).id).to.equal('one');
  });

  it('answers one that sends everything and ends its side at once', async () => {
    const caller = call();
    caller.socket.end(
      '{"jsonrpc":"2.0","id":1,"method":"version"}\n{"jsonrpc":"2.0","id":2,"method":"list"}\n',
    );
    await caller.closed;
    expect(caller.lines.map((line) => (JSON.parse(line) as Answer).id)).to.have.members([1, 2]);
  });

  it('takes a request in pieces of any size', async () => {
    const caller = call();
    const text = JSON.stringify({ jsonrpc: '2.0', id: 'ü€', method: 'version' });
    for (const byte of Buffer.from(`\n \n${text}\n`)) caller.socket.write(Uint8Array.of(byte));
    expect((await caller.answer()).id).to.equal('ü€');
  });

  it('answers more requests at once than it runs at a time', async () => {
    const caller = call();
    const count = 500;
    const requests = Array.from({ length: count }, (_, id) =>
      JSON.stringify({ jsonrpc: '2.0', id, method: 'list' }),
    );
    caller.socket.write(`${requests.join('\n')}\n`);
    const ids = new Set<unknown>();
    while (ids.size < count) ids.add((await caller.answer()).id);
    expect(ids.size).to.equal(count);
  });

  it('hangs up on a message that is too long, and says why; others do not notice', async () => {
    const [bad, good] = [call(), call()];
    bad.socket.write('x'.repeat(MAX_REQUEST + 1));
    const { error } = await bad.answer();
    expect(error?.code).to.equal(rpcError.invalidRequest);
    expect(error?.message).to.include(String(MAX_REQUEST));
    await bad.closed;
    expect((await good.call('version')).result?.version).to.equal('1.2.3');
  });

  it('survives callers that say anything and leave at any time', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.uint8Array({ maxLength: 4096 }), { maxLength: 8 }), async (chunks) => {
        const caller = call();
        for (const chunk of chunks) caller.socket.write(chunk);
        caller.socket.write('\n');
        caller.socket.destroySoon();
        await caller.closed;
      }),
      { numRuns: 50 },
    );
    expect((await call().call('version')).result?.version).to.equal('1.2.3');
    expect(rig.log.lines).to.deep.equal([]);
  });

  it('answers what is no UTF-8, and nothing where a caller leaves in the middle of a request', async () => {
    const caller = call();
    caller.socket.write(Uint8Array.of(0xff, 0xc3, 0x28, 0x00, 0x0a));
    expect((await caller.answer()).error?.code).to.equal(rpcError.parseError);
    caller.socket.write(Buffer.concat([Buffer.from('{"jsonrpc":"2.0","id":"'), Uint8Array.of(0xe2, 0x82)]));
    caller.socket.write(Buffer.from('","method":"version"}\n'));
    expect((await caller.answer()).id).to.equal('\ufffd');
    const leaver = call();
    leaver.socket.end('{"jsonrpc":"2.0","id":1,"method":"logLevel.set","params":{"level":"debug"}}');
    await leaver.closed;
    expect(leaver.lines).to.deep.equal([]);
    expect(rig.daemon.logLevel).to.equal('info');
  });

  it('serves 64 callers of a thousand, hangs up on the others, and has places again when they leave', async () => {
    const callers = Array.from({ length: 1000 }, () => call());
    let open = callers.length;
    for (const { closed } of callers) void closed.then(() => open--);
    while (open > 64) await new Promise(setImmediate);
    const [first] = callers.filter(({ socket }) => !socket.destroyed);
    expect((await first.call('version')).result?.version).to.equal('1.2.3');
    for (const { socket } of callers) socket.destroy();
    await Promise.all(callers.map(({ closed }) => closed));
    // Until the daemon has noticed as well.
    for (;;) {
      const late = call();
      if (((await late.call('version')) as Answer | null) !== null) break;
    }
  });

  it('does not keep answers without end for one that does not read', async () => {
    const caller = call();
    await caller.call('version');
    caller.socket.pause();
    const request = `${JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'rpc.discover' })}\n`;
    // Each answer is some 10 kB: were they all made, that would be some 300 MB.
    const before = process.memoryUsage().rss;
    for (let at = 0; at < 30; at++) caller.socket.write(request.repeat(1000));
    for (let turn = 0; turn < 2000; turn++) await new Promise(setImmediate);
    expect(process.memoryUsage().rss - before).to.be.lessThan(150e6);
    expect((await call().call('version')).result?.version).to.equal('1.2.3');
  });

  describe('traces', () => {
    const read = { cdb: cdb.read10(0, 1), dataInLength: 512 };

    it('commands under load, to every caller that asked, and counts what it left out', async () => {
      const { kernel } = rig.daemon.rigs.get('user_0/disk1')!;
      const listeners = [call(), call()];
      for (const caller of listeners) {
        expect((await caller.call('trace.start', { device: 'disk1' })).result).to.deep.equal({
          subscription: 1,
        });
      }
      const count = 5000;
      await Promise.all(Array.from({ length: count }, () => kernel.send(read)));
      for (const caller of listeners) {
        let [seen, dropped] = [0, 0];
        while (seen + dropped < count) {
          const { method, params } = (await caller.answer()) as unknown as TraceMessage;
          expect(method).to.equal('trace');
          seen += params.commands.length;
          dropped += params.dropped;
        }
        expect(seen).to.be.at.least(1);
        expect(seen + dropped).to.equal(count);
      }
    });

    it('no more after trace.stop, nor when its caller has left', async () => {
      const { device, kernel } = rig.daemon.rigs.get('user_0/disk1')!;
      const [one, two] = [call(), call()];
      for (const caller of [one, two]) await caller.call('trace.start', { device: 'disk1' });
      await one.call('trace.stop', { subscription: 1 });
      two.socket.destroy();
      while (device.statistics.measureAll) await new Promise(setImmediate);
      await kernel.send(read);
      expect((await one.call('version')).result?.version).to.equal('1.2.3');
    });

    it('to the end of the device', async () => {
      const caller = call();
      await caller.call('trace.start', { device: 'disk1' });
      await rig.daemon.remove('user_0/disk1');
      const { params } = (await caller.answer()) as unknown as TraceMessage;
      expect(params.ended).to.equal(true);
      expect((await caller.call('trace.stop', { subscription: 1 })).error?.message).to.match(
        /no subscription/,
      );
    });

    it('at most 64 at a time for one caller', async () => {
      const caller = call();
      for (let at = 0; at < 64; at++) await caller.call('trace.start', { device: 'disk1' });
      expect((await caller.call('trace.start', { device: 'disk1' })).error?.message).to.match(/at most 64/);
    });
  });
});
