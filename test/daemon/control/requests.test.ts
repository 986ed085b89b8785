import { expect } from 'chai';
import fc from 'fast-check';
import { controlError, methods, type MethodName } from '../../../src/daemon/control/schema.js';
import { rpcError } from '../../../src/daemon/control/json-rpc.js';
import { diskWith, TestDisk } from '../../scsi/support/disk.js';
import { Deferred } from '../../scsi/support/unit.js';
import { ControlRig, RawCaller, type Answer } from './support.js';

describe('requests to the control socket', () => {
  let rig: ControlRig;
  let caller: RawCaller;

  beforeEach(async () => {
    rig = await ControlRig.start('user_0/disk1', 'user_0/disk2', 'user_1/disk2');
    caller = new RawCaller(rig.path);
  });

  afterEach(async () => {
    caller.socket.destroy();
    await rig.close();
  });

  const expectError = ({ error }: Answer, code: number, message: RegExp): void => {
    expect(error?.code).to.equal(code);
    expect(error?.message).to.match(message);
  };

  it('are answered with what their schema promises', async () => {
    rig.daemon.reload = () => Promise.resolve();
    const device = { device: 'disk1' };
    const params: Record<MethodName, object> = {
      'rpc.discover': {},
      version: {},
      list: {},
      show: device,
      pause: device,
      resume: device,
      reload: device,
      stats: {},
      'trace.start': device,
      'trace.stop': { subscription: 1 },
      'logLevel.get': {},
      'logLevel.set': { level: 'warn' },
    };
    for (const [method, { result: schema }] of Object.entries(methods)) {
      const { result, error } = await caller.call(method, params[method as MethodName]);
      expect(error, method).to.equal(undefined);
      // Nothing is left out of the schema either: parse() drops what it does not know.
      expect(schema.parse(result), method).to.deep.equal(result);
    }
    expect(rig.log.lines).to.deep.equal([]);
  });

  it('name a device in full, or by its own name where that is enough', async () => {
    expect((await caller.call('show', { device: 'user_0/disk1' })).result?.name).to.equal('user_0/disk1');
    expect((await caller.call('show', { device: 'disk1' })).result?.name).to.equal('user_0/disk1');
    const { noSuchDevice } = controlError;
    expectError(await caller.call('show', { device: 'disk2' }), noSuchDevice, /user_0\/disk2, user_1\/disk2/);
    expectError(await caller.call('show', { device: 'dsik1' }), noSuchDevice, /did you mean 'disk1'/);
    expectError(
      await caller.call('show', { device: 'user_0/disk7' }),
      noSuchDevice,
      /did you mean 'user_0\/disk/,
    );
    expectError(await caller.call('show', { device: 'zzzzzzzzzzz' }), noSuchDevice, /lunette ls/);
    for (const name of ['user_0/disk1', 'user_0/disk2', 'user_1/disk2']) await rig.daemon.remove(name);
    expectError(await caller.call('show', { device: 'disk1' }), noSuchDevice, /serves none/);
  });

  it('pause and resume a device under I/O', async () => {
    const { device, initiator } = rig.daemon.rigs.get('user_0/disk1')!;
    expect((await caller.call('pause', { device: 'disk1' })).result).to.deep.equal({
      name: 'user_0/disk1',
      state: 'paused',
    });
    const waiting = initiator.read(0, 8);
    await new Promise(setImmediate);
    expect(device.inFlight).to.equal(0);
    expect((await caller.call('pause', { device: 'disk1' })).result?.state).to.equal('paused');
    expect((await caller.call('resume', { device: 'disk1' })).result?.state).to.equal('serving');
    expect(await waiting).to.have.length(8 * 512);
    expect((await caller.call('resume', { device: 'disk1' })).result?.state).to.equal('serving');
  });

  it('do not wait for ever for commands that do not end', async () => {
    const held = new Deferred();
    const { initiator } = await rig.daemon.add(
      'user_0/slow',
      diskWith(new TestDisk(), { read: () => held.promise }),
    );
    const reading = initiator.read(0, 1);
    while (rig.daemon.rigs.get('user_0/slow')?.device.inFlight !== 1) await new Promise(setImmediate);
    const answer = await caller.call('pause', { device: 'slow', timeout: 0.02 });
    expectError(answer, controlError.timedOut, /1 commands still run/);
    expect((await caller.call('show', { device: 'slow' })).result).to.include({
      state: 'paused',
      inFlight: 1,
    });
    held.resolve();
    await reading;
    expect((await caller.call('resume', { device: 'slow' })).result?.state).to.equal('serving');
  });

  it('are refused where the device is in no state for them', async () => {
    await rig.daemon.rigs.get('user_0/disk1')?.device.close(0);
    const { wrongState } = controlError;
    expectError(await caller.call('pause', { device: 'disk1' }), wrongState, /user_0\/disk1 is closed/);
    expectError(await caller.call('resume', { device: 'disk1' }), wrongState, /is closed/);
    expectError(await caller.call('trace.stop', { subscription: 9 }), wrongState, /no subscription 9/);
  });

  it('reload a handler where the daemon can, and say why where it failed', async () => {
    const { notSupported, failed, noSuchDevice } = controlError;
    expectError(await caller.call('reload', { device: 'disk1' }), notSupported, /cannot load/);
    const reloaded: string[] = [];
    rig.daemon.reload = async (name) => void reloaded.push(name);
    expect((await caller.call('reload', { device: 'disk1' })).result?.state).to.equal('serving');
    expect(reloaded).to.deep.equal(['user_0/disk1']);
    expectError(await caller.call('reload', { device: 'diskette' }), noSuchDevice, /no device/);
    rig.daemon.reload = async () => {
      throw new Error('line 3: unexpected token');
    };
    expectError(await caller.call('reload', { device: 'disk1' }), failed, /line 3/);
  });

  it('count what the devices did', async () => {
    const { initiator } = rig.daemon.rigs.get('user_0/disk1')!;
    const before = (await caller.call('stats', { device: 'disk1' })).result as {
      devices: { reads: number }[];
    };
    await initiator.read(0, 8);
    const now = (await caller.call('stats', {})).result as { devices: { name: string; reads: number }[] };
    expect(now.devices.map(({ name }) => name)).to.deep.equal([
      'user_0/disk1',
      'user_0/disk2',
      'user_1/disk2',
    ]);
    expect(now.devices[0].reads).to.equal(before.devices[0].reads + 1);
  });

  it('change the log level', async () => {
    expect((await caller.call('logLevel.get')).result).to.deep.equal({ level: 'info' });
    expect((await caller.call('logLevel.set', { level: 'debug' })).result).to.deep.equal({ level: 'debug' });
    expect(rig.daemon.logLevel).to.equal('debug');
    expectError(await caller.call('logLevel.set', { level: 'loud' }), rpcError.invalidParams, /level/);
  });

  it('that fail by a fault of ours say so, and the log has the stack', async () => {
    rig.daemon.devices = () => {
      throw new TypeError('a bug');
    };
    expectError(await caller.call('list'), rpcError.internalError, /list: a bug/);
    expect(rig.log.lines[0]).to.match(/^error: control: list failed: TypeError: a bug\n +at /);
  });

  describe('as JSON-RPC 2.0 has them', () => {
    it('are told what is wrong with them', async () => {
      const cases: [unknown, number, RegExp][] = [
        ['{"jsonrpc":', rpcError.parseError, /no JSON/],
        ['7', rpcError.invalidRequest, /no request/],
        ['null', rpcError.invalidRequest, /no request/],
        ['{}', rpcError.invalidRequest, /jsonrpc/],
        [{ jsonrpc: '1.0', id: 1, method: 'list' }, rpcError.invalidRequest, /jsonrpc/],
        [{ jsonrpc: '2.0', id: 1, method: 7 }, rpcError.invalidRequest, /method/],
        [{ jsonrpc: '2.0', id: {}, method: 'list' }, rpcError.invalidRequest, /id/],
        [{ jsonrpc: '2.0', id: 1, method: 'lits' }, rpcError.methodNotFound, /did you mean 'list'/],
        [{ jsonrpc: '2.0', id: 1, method: 'constructor' }, rpcError.methodNotFound, /no method/],
        [{ jsonrpc: '2.0', id: 1, method: '__proto__' }, rpcError.methodNotFound, /no method/],
        [{ jsonrpc: '2.0', id: 1, method: 'show' }, rpcError.invalidParams, /device/],
        [{ jsonrpc: '2.0', id: 1, method: 'show', params: ['disk1'] }, rpcError.invalidParams, /by name/],
        [{ jsonrpc: '2.0', id: 1, method: 'list', params: { x: 1 } }, rpcError.invalidParams, /x/],
        [
          { jsonrpc: '2.0', id: 1, method: 'pause', params: { device: 'disk1', timeout: -1 } },
          rpcError.invalidParams,
          /timeout/,
        ],
        ['[]', rpcError.invalidRequest, /batch/],
        [Array.from({ length: 65 }, () => 1), rpcError.invalidRequest, /batch/],
      ];
      for (const [message, code, text] of cases) expectError(await caller.ask(message), code, text);
    });

    it('keep their id, and need no parameters', async () => {
      for (const id of [0, -1, 1.5, 'a', '', null]) {
        expect(await caller.ask({ jsonrpc: '2.0', id, method: 'logLevel.get' })).to.deep.equal({
          jsonrpc: '2.0',
          id,
          result: { level: 'info' },
        });
      }
    });

    it('are not answered where they are notifications', async () => {
      caller.say({ jsonrpc: '2.0', method: 'logLevel.set', params: { level: 'error' } });
      caller.say({ jsonrpc: '2.0', method: 'no such method' });
      caller.say([{ jsonrpc: '2.0', method: 'list' }]);
      expect((await caller.call('logLevel.get')).result).to.deep.equal({ level: 'error' });
    });

    it('come in batches', async () => {
      const answers = (await caller.ask([
        { jsonrpc: '2.0', id: 'a', method: 'logLevel.get' },
        { jsonrpc: '2.0', method: 'list' },
        7,
      ])) as unknown as Answer[];
      expect(answers.map(({ id }) => id)).to.deep.equal(['a', null]);
      expect(answers[1].error?.code).to.equal(rpcError.invalidRequest);
    });

    it('get an answer each, whatever they are', async () => {
      const line = fc.oneof(
        fc.string().map((text) => text.replace(/\s/g, ' ')),
        fc.json(),
        fc
          .record({
            jsonrpc: fc.constant('2.0'),
            id: fc.integer(),
            method: fc.oneof(fc.constantFrom(...Object.keys(methods)), fc.string()),
            params: fc.oneof(
              fc.dictionary(fc.constantFrom('device', 'level', 'timeout'), fc.jsonValue()),
              fc.jsonValue(),
            ),
          })
          .map((request) => JSON.stringify(request)),
      );
      await fc.assert(
        fc.asyncProperty(line, async (text) => {
          const one = new RawCaller(rig.path);
          one.say(text);
          one.say({ jsonrpc: '2.0', id: 'end', method: 'logLevel.get' });
          one.socket.end();
          await one.closed;
          const answers = one.lines.map((answer) => JSON.parse(answer) as Answer);
          // An empty line is nothing, and what is nothing but notifications is not answered.
          expect(answers.length).to.be.within(1, 2);
          expect(answers.map(({ id }) => id)).to.include('end');
        }),
        { numRuns: 200 },
      );
      expect(rig.log.lines).to.deep.equal([]);
    });
  });
});
