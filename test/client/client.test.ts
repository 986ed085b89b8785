import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { expect } from 'chai';
import {
  connect,
  ConnectionLost,
  controlError,
  NoDaemon,
  RpcError,
  type ControlClient,
} from 'lunette/client';
import * as cdb from '../../src/scsi/cdb.js';
import { ControlRig } from '../daemon/control/support.js';

describe('lunette/client', () => {
  let rig: ControlRig;
  let client: ControlClient;
  const read = { cdb: cdb.read10(0, 1), dataInLength: 512 };
  const failure = async (call: Promise<unknown>): Promise<Error> => {
    try {
      await call;
    } catch (error) {
      return error as Error;
    }
    throw new Error('it succeeded');
  };

  beforeEach(async () => {
    rig = await ControlRig.start('user_0/disk1', 'user_0/disk2');
    client = await connect(rig.path);
  });

  afterEach(async () => {
    client.close();
    await rig.close();
  });

  it('has a method for each of the daemon’s', async () => {
    expect((await client.version()).version).to.equal('1.2.3');
    expect((await client.list()).map(({ name }) => name)).to.deep.equal(['user_0/disk1', 'user_0/disk2']);
    expect((await client.show('disk2')).blockSize).to.equal(512);
    expect((await client.pause('disk1')).state).to.equal('paused');
    expect((await client.pause('disk1', 1)).state).to.equal('paused');
    expect((await client.resume('disk1')).state).to.equal('serving');
    expect((await client.stats()).devices).to.have.length(2);
    expect((await client.stats('disk1')).devices[0].commands).to.be.at.least(1);
    await client.setLogLevel('debug');
    expect(await client.logLevel()).to.equal('debug');
    expect(await client.discover()).to.include({ openrpc: '1.3.2' });
    rig.daemon.reload = () => Promise.resolve();
    expect((await client.reload('disk1')).name).to.equal('user_0/disk1');
  });

  it('throws what the daemon answers', async () => {
    const error = await failure(client.show('disk9'));
    expect(error).to.be.instanceOf(RpcError).with.property('code', controlError.noSuchDevice);
    expect(error.message).to.match(/did you mean/);
  });

  it('says what to do where no daemon listens', async () => {
    const error = await failure(connect(join(rig.folder, 'none')));
    expect(error).to.be.instanceOf(NoDaemon).with.property('code', 'ENOENT');
    expect(error.message)
      .to.match(/lunette serve/)
      .and.match(/--control/);
    const long = await failure(connect(`/${'x'.repeat(200)}`));
    expect(long).to.be.instanceOf(NoDaemon);
  });

  it('fails calls that wait when the daemon goes, and those that follow', async () => {
    const trace = await client.trace('disk1');
    const waiting = failure(trace.next());
    const asking = failure(client.list());
    await rig.server?.close();
    await asking;
    expect(await waiting).to.be.instanceOf(ConnectionLost);
    expect(await failure(client.list())).to.be.instanceOf(ConnectionLost);
  });

  it('iterates over what a device answers, until the loop is left', async () => {
    const { kernel, device } = rig.daemon.rigs.get('user_0/disk1')!;
    const trace = await client.trace('disk1');
    await Promise.all(Array.from({ length: 10 }, () => kernel.send(read)));
    const names: string[] = [];
    for await (const command of trace) {
      expect(command.device).to.equal('user_0/disk1');
      names.push(command.name);
      if (names.length === 10) break;
    }
    expect(names).to.deep.equal(Array.from({ length: 10 }, () => 'READ(10)'));
    expect(trace.dropped).to.equal(0);
    expect(device.statistics.measureAll).to.equal(false);
    expect((await trace.next()).done).to.equal(true);
  });

  it('ends the iteration with the device, after what it answered last', async () => {
    const { kernel } = rig.daemon.rigs.get('user_0/disk1')!;
    const trace = await client.trace('disk1');
    await kernel.send(read);
    await rig.daemon.remove('user_0/disk1');
    const names: string[] = [];
    for await (const { name } of trace) names.push(name);
    expect(names).to.deep.equal(['READ(10)']);
  });

  it('keeps no more of a trace than a reader may leave waiting', async () => {
    const { kernel } = rig.daemon.rigs.get('user_0/disk1')!;
    const trace = await client.trace('disk1');
    const count = 40_000;
    for (let done = 0; done < count; done += 500) {
      await Promise.all(Array.from({ length: 500 }, () => kernel.send(read)));
    }
    await rig.daemon.remove('user_0/disk1');
    let seen = 0;
    // Let it all come first.
    await client.list();
    for await (const command of trace) if (command.status === 0) seen++;
    expect(seen).to.be.at.most(16_384);
    expect(seen + trace.dropped).to.equal(count);
  });

  describe('with something else at the other end', () => {
    let server: Server;
    const path = (): string => join(rig.folder, 'other');
    const listen = async (answer: string): Promise<ControlClient> => {
      server = createServer((socket) => {
        socket.on('error', () => undefined);
        socket.on('data', () => socket.write(answer));
      }).listen(path());
      await once(server, 'listening');
      return connect(path());
    };
    afterEach(() => server.close());

    for (const [what, answer] of [
      ['no JSON', 'hello\n'],
      ['no answer', '{"a":1}\n'],
      ['no result of the method', '{"jsonrpc":"2.0","id":1,"result":{"version":7}}\n'],
      ['a bad notification', '{"jsonrpc":"2.0","method":"trace","params":{}}\n'],
    ]) {
      it(`fails where it says ${what}`, async () => {
        const other = await listen(answer);
        expect(await failure(other.version())).to.be.instanceOf(ConnectionLost);
        other.close();
      });
    }

    it('passes on an error that is about the connection', async () => {
      const other = await listen('{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"go away"}}\n');
      expect((await failure(other.version())).message).to.equal('go away');
      other.close();
    });

    it('ignores notifications and fields of a newer daemon', async () => {
      const other = await listen(
        '{"jsonrpc":"2.0","method":"weather","params":{}}\n' +
          '{"jsonrpc":"2.0","method":"trace","params":{"subscription":7,"commands":[],"dropped":0}}\n' +
          '{"jsonrpc":"2.0","id":99,"result":{}}\n' +
          '{"jsonrpc":"2.0","id":1,"result":{"version":"9","pid":1,"uptime":1,"mood":"good"}}\n',
      );
      expect(await other.version()).to.deep.equal({ version: '9', pid: 1, uptime: 1 });
      other.close();
    });
  });

  it('loads nothing of the daemon but what is said', () => {
    const root = join(import.meta.dirname, '../../src');
    const seen = new Set<string>();
    const visit = (file: string): void => {
      if (seen.has(file)) return;
      seen.add(file);
      const text = readFileSync(file, 'utf8');
      for (const [, kind, specifier] of text.matchAll(
        /^(import type|import|export)[^;]*? from '([^']+)'/gm,
      )) {
        if (kind !== 'import type' && specifier.startsWith('.')) {
          visit(join(file, '..', specifier.replace(/\.js$/, '.ts')));
        }
      }
    };
    visit(join(root, 'client/index.ts'));
    const foreign = [...seen].filter((file) => !/src\/(client|daemon\/control)\//.test(file));
    expect(foreign).to.deep.equal([]);
    expect(seen.size).to.be.at.least(7);
  });
});
