import { expect } from 'chai';
import { encodeMessage, uint64, text, uint8 } from '../../src/target/netlink-codec.js';
import {
  TcmUserNetlink,
  tcmuAttribute,
  tcmuCommand,
  type TcmUserEvent,
} from '../../src/target/tcm-user-netlink.js';
import { FakeKernel } from './fake-kernel.js';
import { LogLines } from './fixture.js';

const disk = { deviceId: 5, uio: 3, uioName: 'tcm-user/0/disk/memory/' };

async function rejection(promise: Promise<unknown>): Promise<Error & { code?: string }> {
  return promise.then(
    () => {
      throw new Error('it was not rejected');
    },
    (error: Error) => error,
  );
}

describe('TcmUserNetlink', () => {
  let kernel: FakeKernel;
  let log: LogLines;
  let events: TcmUserEvent[];
  beforeEach(() => {
    kernel = new FakeKernel();
    log = new LogLines();
    events = [];
  });
  const open = (): Promise<TcmUserNetlink> =>
    TcmUserNetlink.open(kernel, log, (event) => void events.push(event));

  it('finds the family and joins its group', async () => {
    const netlink = await open();
    expect(kernel.joined).to.equal(true);
    netlink.close();
    netlink.close();
    expect(kernel.closed).to.equal(true);
  });

  it('names modprobe where the kernel has no such family, and closes the socket', async () => {
    kernel.loaded = false;
    const error = await rejection(open());
    expect(error.code).to.equal('NO_TCM_USER');
    expect(error.message).to.include('modprobe target_core_user');
    expect(kernel.closed).to.equal(true);
  });

  it('makes the kernel wait for answers, and lets it go again', async () => {
    const netlink = await open();
    await netlink.setFeatures(true);
    expect(kernel.waitsForReplies).to.equal(true);
    await netlink.setFeatures(false);
    expect(kernel.waitsForReplies).to.equal(false);
  });

  it('says who may where the process may not', async () => {
    const netlink = await open();
    kernel.privileged = false;
    const error = await rejection(netlink.setFeatures(true));
    expect(error.code).to.equal('EPERM');
    expect(error.message).to.include('CAP_NET_ADMIN');
  });

  it('tells of devices that come, go and change', async () => {
    await open();
    void kernel.tell({ ...disk, command: tcmuCommand.addedDevice });
    const changes: [number, Uint8Array][] = [
      [tcmuAttribute.devSize, uint64(2n ** 41n)],
      [tcmuAttribute.writeCache, uint8(1)],
      [tcmuAttribute.devCfg, text('memory/?x')],
    ];
    for (const change of changes) {
      void kernel.tell({ ...disk, command: tcmuCommand.reconfigDevice, attributes: new Map([change]) });
    }
    void kernel.tell({ ...disk, command: tcmuCommand.removedDevice });
    await kernel.delivered();
    const told = { deviceId: 5, uio: 'uio3', uioName: disk.uioName };
    expect(events).to.deep.equal([
      { ...told, kind: 'added', change: {} },
      { ...told, kind: 'reconfigured', change: { size: 2 ** 41 } },
      { ...told, kind: 'reconfigured', change: { writeCache: true } },
      { ...told, kind: 'reconfigured', change: { devConfig: 'memory/?x' } },
      { ...told, kind: 'removed', change: {} },
    ]);
  });

  it('answers with the status, a negative errno included', async () => {
    const netlink = await open();
    await netlink.setFeatures(true);
    const added = kernel.tell({ ...disk, command: tcmuCommand.addedDevice });
    await kernel.delivered();
    expect(await netlink.answer(events[0], -2)).to.equal(0);
    expect(await added).to.equal(-2);
  });

  it('reports an answer that nothing waited for, without calling it an error', async () => {
    const netlink = await open();
    void kernel.tell({ ...disk, command: tcmuCommand.removedDevice });
    await kernel.delivered();
    expect(await netlink.answer(events[0], 0)).to.equal(-19);
    expect(log.of('error')).to.deep.equal([]);
    expect(log.of('debug')).to.have.length(1);
  });

  it('logs an answer that the kernel refused', async () => {
    const netlink = await open();
    await netlink.setFeatures(true);
    void kernel.tell({ ...disk, command: tcmuCommand.addedDevice });
    await kernel.delivered();
    expect(await netlink.answer({ ...events[0], kind: 'removed' }, 0)).to.equal(-22);
    expect(log.of('error')[0]).to.include("refused the answer to 'removed': errno 22");
  });

  it('survives datagrams that make no sense', async () => {
    const netlink = await open();
    kernel.deliver(Uint8Array.of(1, 2, 3));
    kernel.deliver(encodeMessage({ type: 0x1f, flags: 0, sequence: 0, port: 0, payload: Uint8Array.of(1) }));
    kernel.deliver(
      encodeMessage({ type: 2, flags: 0, sequence: 99, port: 0, payload: Uint8Array.of(0, 0, 0, 0) }),
    );
    kernel.deliver(
      encodeMessage({ type: 0x1f, flags: 0, sequence: 0, port: 0, payload: Uint8Array.of(1, 2, 0, 0) }),
    );
    await kernel.delivered();
    expect(events).to.deep.equal([]);
    expect(log.of('error')).to.have.length(2);
    await netlink.setFeatures(true);
    expect(kernel.waitsForReplies).to.equal(true);
  });

  it('leaves no answer pending when it is closed', async () => {
    const netlink = await open();
    void kernel.tell({ ...disk, command: tcmuCommand.addedDevice });
    await kernel.delivered();
    const answer = netlink.answer(events[0], 0);
    netlink.close();
    expect(await answer).to.equal(-19);
    expect(await netlink.answer(events[0], 0)).to.equal(-19);
  });
});
