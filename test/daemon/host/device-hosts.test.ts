import { expect } from 'chai';
import { DeviceHosts } from '../../../src/daemon/host/device-hosts.js';
import { handlerRegistry } from '../../../src/daemon/handler-registry.js';
import { Reloader } from '../../../src/daemon/reload.js';
import { defineHandler } from '../../../src/handlers/contract.js';
import type { Isolation } from '../../../src/handlers/isolation.js';
import { memory } from '../../../src/handlers/memory/index.js';
import { RecordingLog } from '../../device/support.js';
import { tcmu } from './support.js';

class HostsLog extends RecordingLog {
  readonly level = 'error';
}

async function hosts(
  isolation: Isolation | undefined,
  together?: string,
): Promise<{ hosts: DeviceHosts; log: HostsLog }> {
  const registry = await handlerRegistry();
  registry.add(defineHandler({ ...memory, name: 'made' }));
  const log = new HostsLog();
  const made = new DeviceHosts({
    registry,
    settings: {},
    log: log as never,
    reloader: new Reloader(registry, {}, log as never),
    isolation: isolation && { isolation, handlers: { modules: [] }, logFormat: 'json' },
    together,
  });
  return { hosts: made, log };
}

describe('the hosts of devices', () => {
  it('are what the settings say, or the device’s own configuration', async () => {
    for (const isolation of ['none', 'thread', 'process'] as const) {
      const { hosts: made } = await hosts(isolation);
      expect(made.isolationOf(tcmu)).to.equal(isolation);
      expect(made.isolationOf({ ...tcmu, cfgstring: '?isolate=process' })).to.equal('process');
      expect(made.isolationOf({ ...tcmu, cfgstring: '?isolate=none' })).to.equal('none');
    }
    const { hosts: plain } = await hosts(undefined);
    expect(plain.isolationOf({ ...tcmu, cfgstring: '?isolate=process' })).to.equal('none');
  });

  it('are one, and say so once, where disks must be reached from one thread', async () => {
    const { hosts: made, log } = await hosts('thread', 'the embedded iSCSI target');
    expect(made.isolationOf(tcmu)).to.equal('none');
    expect(made.isolationOf({ ...tcmu, cfgstring: '?isolate=process' })).to.equal('none');
    expect(log.lines).to.deep.equal([
      'info: all devices are served in one thread, because of the embedded iSCSI target',
    ]);
  });

  it('are in this thread for a handler that no other could load', async () => {
    const { hosts: made } = await hosts('process');
    expect(made.isolationOf({ ...tcmu, subtype: 'made' })).to.equal('none');
  });

  for (const isolation of ['thread', 'process'] as const) {
    it(`tell why a device cannot be opened in a ${isolation}, and are ended with the daemon`, async () => {
      const { hosts: made } = await hosts(isolation);
      await made.prepare([tcmu, tcmu], 20_000);
      made.trim();
      made.renew();
      const message = await made.open(tcmu).catch((error: Error) => error.message);
      expect(message).to.match(/user_0\/disk1: cannot read .*hw_block_size|cmd_time_out|dev_size/);
      await made.close();
    }).timeout(30_000);
  }
});
