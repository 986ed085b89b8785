import { expect } from 'chai';
import { text, uint64 } from '../../src/target/netlink-codec.js';
import { KernelTarget, type DeviceChange, type TargetListener } from '../../src/target/kernel-target.js';
import { tcmuAttribute, tcmuCommand } from '../../src/target/tcm-user-netlink.js';
import type { TcmuDevice } from '../../src/target/uio.js';
import { FakeKernel } from './fake-kernel.js';
import { FixtureTree, LogLines, type FixtureDevice } from './fixture.js';

/** Serves subtype `mine`, and writes down what it is told. */
class Recorder implements TargetListener {
  readonly calls: string[] = [];
  /** What each verb does after it was written down. */
  work: (verb: string, device: TcmuDevice) => Promise<void> = () => Promise.resolve();

  owns({ subtype }: TcmuDevice): boolean {
    return subtype === 'mine';
  }

  added(device: TcmuDevice): Promise<void> {
    return this.#call('added', device);
  }

  removed(device: TcmuDevice): Promise<void> {
    return this.#call('removed', device);
  }

  reconfigured(device: TcmuDevice, change: DeviceChange): Promise<void> {
    return this.#call(`reconfigured ${JSON.stringify(change)}`, device);
  }

  async #call(verb: string, device: TcmuDevice): Promise<void> {
    this.calls.push(`${verb} ${device.uio} ${device.hba}/${device.name}`);
    await this.work(verb, device);
    this.calls.push(`${verb} done`);
  }
}

const errno = (code: string, message = code): Error => Object.assign(new Error(message), { code });

describe('KernelTarget', () => {
  let tree: FixtureTree;
  let kernel: FakeKernel;
  let log: LogLines;
  let listener: Recorder;
  let answerForeign: () => boolean;
  let target: KernelTarget | undefined;

  beforeEach(() => {
    tree = new FixtureTree();
    tree.loadModule();
    kernel = new FakeKernel();
    log = new LogLines();
    listener = new Recorder();
    answerForeign = () => true;
    target = undefined;
  });
  afterEach(async () => {
    await target?.close();
    tree.close();
  });

  const start = async (
    closeTimeout = 5_000,
    openTimeout?: number,
    retryAfter?: number,
  ): Promise<KernelTarget> =>
    (target = await KernelTarget.start({
      listener,
      log,
      socket: kernel,
      sys: tree.sys,
      dev: tree.dev,
      config: tree.config,
      answerForeign: () => answerForeign(),
      closeTimeout,
      openTimeout,
      retryAfter,
    }));

  const disk: FixtureDevice = { uio: 0, name: 'disk', devConfig: 'mine//x' };
  const tell = (
    command: keyof typeof tcmuCommand,
    device: FixtureDevice,
    attributes?: Map<number, Uint8Array>,
  ): Promise<number> =>
    kernel.tell({
      command: tcmuCommand[command],
      deviceId: 100 + device.uio,
      uio: device.uio,
      uioName: tree.uioName(device),
      waits: (device.waits ?? 1) > 0,
      attributes,
    });
  /** configfs `enable`: the UIO device appears, and the write returns with the answer. */
  const enable = (device: FixtureDevice): Promise<number> => {
    tree.addDevice(device);
    return tell('addedDevice', device);
  };

  it('serves the devices that exist before it returns, and leaves others alone', async () => {
    tree.addDevice(disk);
    tree.addDevice({ uio: 1, name: 'other', devConfig: 'theirs/' });
    await start();
    expect(listener.calls).to.deep.equal(['added uio0 user_0/disk', 'added done']);
  });

  it('serves a device that is enabled, and lets the enabling go on when it is served', async () => {
    await start();
    let release!: () => void;
    listener.work = () => new Promise((resolve) => (release = resolve));
    const enabled = enable(disk);
    await kernel.delivered();
    expect(kernel.unanswered).to.equal(1);
    release();
    expect(await enabled).to.equal(0);
    expect(listener.calls).to.deep.equal(['added uio0 user_0/disk', 'added done']);
  });

  it('fails the enabling with the errno of what the listener throws, and logs its message', async () => {
    await start();
    listener.work = () => Promise.reject(errno('ENOENT', 'no such image'));
    expect(await enable(disk)).to.equal(-2);
    listener.work = () => Promise.reject(new TypeError('oops'));
    expect(await enable({ ...disk, uio: 1, name: 'second' })).to.equal(-22);
    expect(log.of('error')).to.have.length(2);
    expect(log.of('error')[0]).to.include('no such image');
  });

  it('goes on after a device that cannot be served at the start', async () => {
    tree.addDevice(disk);
    tree.addDevice({ ...disk, uio: 1, name: 'second' });
    listener.work = (_verb, device) =>
      device.uio === 'uio0' ? Promise.reject(new Error('no such image')) : Promise.resolve();
    await start();
    expect(listener.calls).to.include('added uio1 user_0/second').and.include('added done');
    expect(log.of('error')).to.deep.equal(['error: user_0/disk cannot be served: no such image']);
  });

  it('tries a device again that could not be served at the start, until it can be or is gone', async () => {
    tree.addDevice(disk);
    tree.addDevice({ ...disk, uio: 1, name: 'second' });
    let tries = 0;
    listener.work = (verb, device) => {
      if (verb === 'removed') return Promise.resolve();
      if (device.uio === 'uio0' && ++tries === 3) return Promise.resolve();
      return Promise.reject(new Error('not mounted yet'));
    };
    await start(undefined, undefined, 1);
    while (!listener.calls.includes('added done')) await kernel.delivered();
    const second = { ...disk, uio: 1, name: 'second' };
    expect(await tell('removedDevice', second)).to.equal(0);
    expect(listener.calls).to.include('removed uio1 user_0/second');
    tree.removeDevice(second);
    await target?.close();
    expect(tries).to.equal(3);
    expect(log.of('error').filter((line) => line.includes('user_0/disk'))).to.have.length(2);
  });

  it('reports removal of what it serves, once', async () => {
    tree.addDevice(disk);
    await start();
    expect(await tell('removedDevice', disk)).to.equal(0);
    expect(await tell('removedDevice', disk)).to.equal(0);
    expect(listener.calls.filter((call) => call.startsWith('removed uio0'))).to.have.length(1);
  });

  it('does not report removal of a device that could not be served', async () => {
    await start();
    listener.work = () => Promise.reject(errno('ENOENT'));
    await enable(disk);
    expect(await tell('removedDevice', disk)).to.equal(0);
    expect(listener.calls).to.deep.equal(['added uio0 user_0/disk']);
  });

  it('passes changes on, and their refusal back', async () => {
    tree.addDevice(disk);
    await start();
    const size = new Map([[tcmuAttribute.devSize, uint64(4096n)]]);
    expect(await tell('reconfigDevice', disk, size)).to.equal(0);
    expect(listener.calls).to.include('reconfigured {"size":4096} uio0 user_0/disk');
    listener.work = () => Promise.reject(errno('EOPNOTSUPP'));
    const config = new Map([[tcmuAttribute.devCfg, text('mine//y')]]);
    expect(await tell('reconfigDevice', disk, config)).to.equal(-95);
  });

  it('handles the events of one device one after the other, and those of others meanwhile', async () => {
    await start();
    let release!: () => void;
    const first = new Promise<void>((resolve) => (release = resolve));
    listener.work = (verb, device) => (verb === 'added' && device.uio === 'uio0' ? first : Promise.resolve());
    const slow = enable({ ...disk, waits: 0 });
    const removed = tell('removedDevice', { ...disk, waits: 0 });
    const other = enable({ ...disk, uio: 1, name: 'other' });
    expect(await other).to.equal(0);
    expect(listener.calls).to.deep.equal(['added uio0 user_0/disk', 'added uio1 user_0/other', 'added done']);
    release();
    await Promise.all([slow, removed, target?.close()]);
    expect(listener.calls.slice(3)).to.deep.equal(['added done', 'removed uio0 user_0/disk', 'removed done']);
  });

  it('takes a new device for a new one where it gets the number of a removed one', async () => {
    await start();
    await enable(disk);
    tree.removeDevice(disk);
    await tell('removedDevice', disk);
    const next = { ...disk, name: 'next' };
    expect(await enable(next)).to.equal(0);
    expect(listener.calls).to.include('added uio0 user_0/next');
  });

  it('refuses a device that is gone before it could be looked at', async () => {
    await start();
    expect(await tell('addedDevice', disk)).to.equal(-19);
    tree.addDevice({ ...disk, name: 'another' });
    expect(await tell('addedDevice', disk)).to.equal(-19);
    expect(listener.calls).to.deep.equal([]);
  });

  it('serves a device once that both exists and is told of', async () => {
    // As when it is enabled while the daemon starts: found by the scan, and its event waits behind it.
    let told: Promise<number> | undefined;
    tree.addDevice(disk);
    listener.work = async () => {
      told = tell('addedDevice', disk);
    };
    await start();
    expect(await told).to.equal(0);
    expect(listener.calls).to.deep.equal(['added uio0 user_0/disk', 'added done']);
  });

  it('does not let a device that opens slowly at the start hold up another one', async () => {
    tree.addDevice(disk);
    let release!: () => void;
    listener.work = (_verb, device) =>
      device.uio === 'uio0' ? new Promise((resolve) => (release = resolve)) : Promise.resolve();
    const started = start();
    while (!listener.calls.includes('added uio0 user_0/disk')) await kernel.delivered();
    expect(await enable({ ...disk, uio: 1, name: 'other' })).to.equal(0);
    release();
    await started;
  });

  it('starts, serves others and can be closed although a device that exists is never opened', async () => {
    tree.addDevice(disk);
    listener.work = (_verb, device) =>
      device.uio === 'uio0' ? new Promise(() => undefined) : Promise.resolve();
    await start(1, 1);
    expect(log.of('warn')[0]).to.include('uio0: not open after 1 ms');
    expect(await enable({ ...disk, uio: 1, name: 'other' })).to.equal(0);
    await target?.close();
    expect(log.of('error')).to.deep.equal(['error: user_0/disk cannot be served: the daemon is leaving']);
  });

  it('answers for devices of others where nobody else does, without serving them', async () => {
    await start();
    const other = { uio: 4, name: 'other', devConfig: 'theirs/' };
    expect(await enable(other)).to.equal(0);
    expect(await tell('reconfigDevice', other, new Map([[tcmuAttribute.devSize, uint64(1n)]]))).to.equal(0);
    expect(await tell('removedDevice', other)).to.equal(0);
    expect(listener.calls).to.deep.equal([]);
    expect(kernel.strayAnswers).to.deep.equal([]);
  });

  describe('beside a daemon that answers for all', () => {
    beforeEach(() => (answerForeign = () => false));

    it('answers nothing, and does not tell the kernel to wait', async () => {
      await start();
      expect(kernel.waitsForReplies).to.equal(false);
      kernel.waitsForReplies = true;
      void enable({ uio: 4, name: 'other', devConfig: 'theirs/' });
      void enable(disk);
      await kernel.delivered();
      await target?.close();
      expect(kernel.unanswered).to.equal(2);
      expect(kernel.strayAnswers).to.deep.equal([]);
      expect(kernel.waitsForReplies).to.equal(true);
    });

    it('serves a device that the kernel does not wait for', async () => {
      await start();
      expect(await enable({ ...disk, waits: -1 })).to.equal(0);
      await kernel.delivered();
      await target?.close();
      expect(listener.calls).to.deep.equal(['added uio0 user_0/disk', 'added done']);
    });

    it('waits until the other one has looked at the device and let it go', async () => {
      await start();
      // tcmu-runner opens every UIO device before it refuses it, and a UIO device opens only once.
      const busy = new Error('/dev/uio0 is in use', { cause: errno('EBUSY') });
      let tries = 0;
      listener.work = () => (++tries < 3 ? Promise.reject(busy) : Promise.resolve());
      await enable({ ...disk, waits: -1 });
      await kernel.delivered();
      await target?.close();
      expect(listener.calls.at(-1)).to.equal('added done');
      expect(log.of('error')).to.deep.equal([]);
    });

    it('does not open a device that the other one refuses, and says what to do', async () => {
      await start();
      void enable(disk);
      await kernel.delivered();
      await target?.close();
      expect(listener.calls).to.deep.equal([]);
      expect(log.of('error')[0]).to.include('control=nl_reply_supported=-1');
    });
  });

  it('sends no answer for a device that the kernel does not wait for', async () => {
    await start();
    const quiet = { ...disk, waits: -1 };
    await enable(quiet);
    await tell('removedDevice', quiet);
    await target?.close();
    expect(listener.calls).to.include('removed uio0 user_0/disk');
    expect(kernel.strayAnswers).to.deep.equal([]);
  });

  it('releases what a daemon that died left unanswered', async () => {
    await start();
    const parameters = 'sys/module/target_core_user/parameters';
    expect(tree.read(`${parameters}/reset_netlink`)).to.match(/^1/);
    expect(tree.read(`${parameters}/block_netlink`)).to.match(/^0/);
  });

  it('starts on a kernel that has no such parameters', async () => {
    tree.remove('sys/module/target_core_user/parameters');
    await start();
    expect(await enable(disk)).to.equal(0);
  });

  it('lets the kernel no longer wait once it is closed', async () => {
    await start();
    expect(kernel.waitsForReplies).to.equal(true);
    await target?.close();
    expect(kernel.waitsForReplies).to.equal(false);
    expect(kernel.closed).to.equal(true);
  });

  it('answers for a listener that does not return when it is closed', async () => {
    await start(1);
    listener.work = () => new Promise(() => {});
    const enabled = enable(disk);
    await kernel.delivered();
    await target?.close();
    expect(await enabled).to.equal(-125);
  });

  it('fails with what is missing, and closes the socket', async () => {
    kernel.privileged = false;
    const error = await start().catch((reason: Error) => reason);
    expect(error).to.have.property('code', 'EPERM');
    expect(kernel.closed).to.equal(true);
  });
});
