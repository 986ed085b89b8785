import { expect } from 'chai';
import fc from 'fast-check';
import { RangeLock } from '../../src/scsi/range-lock.js';
import { Deferred } from './support/unit.js';

describe('RangeLock', () => {
  it('is idle but while something runs', async () => {
    const lock = new RangeLock();
    const job = new Deferred();
    expect(lock.idle).to.equal(true);
    const running = lock.run(0, 10, true, () => job.promise);
    expect(lock.idle).to.equal(false);
    job.resolve();
    await running;
    expect(lock.idle).to.equal(true);
  });

  it('passes on what the job throws, and is free again', async () => {
    const lock = new RangeLock();
    const fail = (): never => {
      throw new Error('no');
    };
    const error: unknown = await lock.run(0, 10, true, fail).catch((reason: unknown) => reason);
    expect(error).to.have.property('message', 'no');
    expect(lock.idle).to.equal(true);
  });

  it('starts at once a job that conflicts with nothing', () => {
    const lock = new RangeLock();
    const started: string[] = [];
    const start = (name: string, from: number, to: number, exclusive: boolean): void => {
      void lock.run(from, to, exclusive, () => {
        started.push(name);
        return new Promise(() => undefined);
      });
    };
    start('shared', 0, 10, false);
    start('shared too', 5, 15, false);
    start('beside', 15, 20, true);
    start('over', 14, 16, true);
    expect(started).to.deep.equal(['shared', 'shared too', 'beside']);
  });

  it('keeps exclusive jobs from a shared range until what was begun in it has settled', async () => {
    for (const fails of [false, true]) {
      const lock = new RangeLock();
      expect(lock.free).to.equal(true);
      const writing = new Deferred();
      const shared = lock.share(0, 10, writing.promise);
      shared.catch(() => undefined);
      expect([lock.idle, lock.free]).to.deep.equal([false, true]);
      let ran = false;
      const exclusive = lock.run(5, 15, true, () => void (ran = true));
      expect(lock.free).to.equal(false);
      await Promise.resolve();
      expect(ran).to.equal(false);
      if (fails) writing.reject(new Error('no'));
      else writing.resolve();
      await exclusive;
      expect(ran).to.equal(true);
      const error: unknown = await shared.then(
        () => undefined,
        (reason: unknown) => reason,
      );
      expect(error !== undefined).to.equal(fails);
      expect([lock.idle, lock.free]).to.deep.equal([true, true]);
    }
  });

  it('never runs conflicting jobs at once, and ends all of them', async () => {
    const job = fc.record({
      start: fc.nat(20),
      length: fc.integer({ min: 1, max: 8 }),
      exclusive: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(job, { maxLength: 12 }), fc.scheduler(), async (jobs, scheduler) => {
        const lock = new RangeLock();
        const running = new Set<(typeof jobs)[number]>();
        const all = jobs.map((mine) =>
          lock.run(mine.start, mine.start + mine.length, mine.exclusive, async () => {
            for (const other of running) {
              const apart =
                other.start + other.length <= mine.start || mine.start + mine.length <= other.start;
              expect(apart || !(mine.exclusive || other.exclusive)).to.equal(true);
            }
            running.add(mine);
            await scheduler.schedule(Promise.resolve());
            running.delete(mine);
          }),
        );
        await scheduler.waitFor(Promise.all(all));
        expect(lock.idle).to.equal(true);
      }),
      { numRuns: 200 },
    );
  });
});
