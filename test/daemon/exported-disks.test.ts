import { expect } from 'chai';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, type ControlClient } from '../../src/client/index.js';
import { Daemon } from '../../src/daemon/daemon.js';
import { handlerRegistry } from '../../src/daemon/handler-registry.js';
import { createLog } from '../../src/daemon/log.js';
import * as cdb from '../../src/scsi/cdb.js';
import { failureOf } from '../conformance/support.js';
import { RawInitiator } from '../iscsi/support/raw-initiator.js';

describe('disks of the embedded iSCSI target alone', () => {
  let folder: string;
  let daemon: Daemon;
  let client: ControlClient;

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'lunette-exports-'));
    daemon = await Daemon.start({
      registry: await handlerRegistry([]),
      log: createLog('error', 'json'),
      tcmu: false,
      bus: false,
      iscsi: { portals: [{ host: '127.0.0.1', port: 0 }] },
      exports: ['memory/?size=1M', 'null/?size=2M'],
      control: join(folder, 'control.sock'),
      runtimeDirectory: folder,
    });
    client = await connect(join(folder, 'control.sock'));
  });

  afterEach(async () => {
    client.close();
    await daemon.stop();
    rmSync(folder, { recursive: true });
  });

  async function login(): Promise<RawInitiator> {
    const { path } = await client.show('memory.0');
    const [, port, name] = /^iscsi:\/\/[^:]+:(\d+)\/([^/]+)\/0$/.exec(path) ?? [];
    const initiator = await RawInitiator.connect({ port: Number(port) });
    await initiator.login({ targetName: name });
    await initiator.clearAttention();
    return initiator;
  }

  it('are listed and shown', async () => {
    const devices = await client.list();
    expect(devices.map(({ name, transport, size }) => [name, transport, size])).to.deep.equal([
      ['export/memory.0', 'iscsi', 1 << 20],
      ['export/null.1', 'iscsi', 2 << 20],
    ]);
    expect(await client.show('export/memory.0')).to.deep.include({
      state: 'serving',
      handler: 'memory',
      config: 'memory/?size=1M',
      blockSize: 512,
      thin: true,
      isolation: 'none',
      pid: process.pid,
    });
    expect((await client.show('null.1')).path).to.match(/^iscsi:\/\/127\.0\.0\.1:\d+\/iqn[^/]+null\.1\/0$/);
  });

  it('count their commands, and show them to whoever traces', async () => {
    const initiator = await login();
    const before = (await client.stats('memory.0')).devices[0];
    const trace = await client.trace('memory.0');
    for (let i = 0; i < 20; i++) expect((await initiator.run(cdb.read10(0, 8), 4096)).status).to.equal(0);
    expect((await initiator.run(cdb.read10(4000, 1), 512)).status).to.equal(2);
    const { devices } = await client.stats();
    expect(devices.map(({ name }) => name)).to.deep.equal(['export/memory.0', 'export/null.1']);
    expect(devices[0].commands - before.commands).to.equal(21);
    expect(devices[0].reads - before.reads).to.equal(21);
    expect(devices[0].readBytes - before.readBytes).to.equal(20 * 4096);
    expect(devices[0].errors - before.errors).to.equal(1);
    expect(devices[0].senseKeys[5] - before.senseKeys[5]).to.equal(1);
    expect(devices[0].inFlight).to.equal(0);
    expect(devices[0].latency.samples).to.be.above(0);
    expect(devices[1].commands).to.equal(0);
    const names: string[] = [];
    for await (const { name } of trace) {
      if (names.push(name) === 21) break;
    }
    expect(new Set(names)).to.deep.equal(new Set(['READ(10)']));
    initiator.destroy();
  });

  it('can be paused, and go on', async () => {
    const initiator = await login();
    expect((await client.pause('memory.0')).state).to.equal('paused');
    const answer = initiator.run(cdb.read10(0, 8), 4096);
    while ((await client.show('memory.0')).inFlight === 0) await new Promise(setImmediate);
    expect((await client.resume('memory.0')).state).to.equal('serving');
    expect((await answer).status).to.equal(0);
    initiator.destroy();
  });

  it('do not keep a daemon from stopping while they are paused', async () => {
    const initiator = await login();
    await client.pause('memory.0');
    const itt = initiator.sendCommand(cdb.read10(0, 8), { length: 4096, flags: 0xc0 });
    while ((await client.show('memory.0')).inFlight === 0) await new Promise(setImmediate);
    const stopped = daemon.stop();
    expect((await initiator.collect(itt)).status).to.equal(0);
    initiator.destroy();
    await stopped;
  });

  it('say that their code cannot be loaded anew', async () => {
    expect((await failureOf(() => client.reload('memory.0'))).message).to.match(/no TCMU device/);
  });
});
