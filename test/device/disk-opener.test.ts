import { expect } from 'chai';
import { lateMessage, openWithin } from '../../src/device/disk-opener.js';
import type { Disk } from '../../src/handlers/contract.js';
import { failureOf } from '../conformance/support.js';

const disk = (events: string[] = []): Disk => ({
  size: 4096,
  read: () => undefined,
  write: () => undefined,
  handOver: () => void events.push('handOver'),
  close: () => void events.push('close'),
});

describe('opening a disk', () => {
  it('hands over what is open in time, and passes on what is thrown', async () => {
    const one = disk();
    expect(await openWithin(1000, () => one)).to.equal(one);
    expect(
      await openWithin(1000, async (inherited) => (inherited === 'data' ? one : disk()), 'data'),
    ).to.equal(one);
    expect((await failureOf(() => openWithin(1000, () => Promise.reject(new Error('no'))))).message).to.equal(
      'no',
    );
    const thrown = await failureOf(() =>
      openWithin(1000, () => {
        throw new Error('at once');
      }),
    );
    expect(thrown.message).to.equal('at once');
  });

  it('ends, and closes the disk that comes too late', async () => {
    const events: string[] = [];
    let arrive!: (disk: Disk) => void;
    let late!: (error: unknown) => void;
    const told = new Promise<unknown>((resolve) => (late = resolve));
    const error = await failureOf(() =>
      openWithin(20, () => new Promise<Disk>((resolve) => (arrive = resolve)), undefined, late),
    );
    expect(error).to.have.property('code', 'ETIMEDOUT');
    expect(error.message).to.equal('the disk was not open after 0.02 s');
    arrive(disk(events));
    expect(await told).to.equal(undefined);
    expect(events).to.deep.equal(['handOver', 'close']);
  });

  it('tells of one that fails late, and of one that cannot be closed', async () => {
    for (const settle of [
      (_: (disk: Disk) => void, reject: (error: Error) => void) => reject(new Error('broken')),
      (resolve: (disk: Disk) => void) =>
        resolve({ ...disk(), close: () => Promise.reject(new Error('broken')) }),
    ]) {
      let finish!: () => void;
      let late!: (error: unknown) => void;
      const told = new Promise<unknown>((resolve) => (late = resolve));
      const opening = new Promise<Disk>((resolve, reject) => (finish = () => settle(resolve, reject)));
      await failureOf(() => openWithin(20, () => opening, undefined, late));
      finish();
      expect(lateMessage('user_0/a', await told)).to.match(
        /^user_0\/a: the disk .* has failed: Error: broken/,
      );
    }
  });
});
