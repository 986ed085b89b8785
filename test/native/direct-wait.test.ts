import { expect } from 'chai';
import { stat } from 'node:fs/promises';
import { performance } from 'node:perf_hooks';
import { native, type MemoryRegionHandle } from '../../src/native/addon.js';
import { runScript } from './support/script.js';

const SIZE = 1 << 16;

/** Turns that this thread's event loop has taken; undefined where Node does not say (before 20.18). */
function turns(): number | undefined {
  const { uvMetricsInfo } = performance.nodeTiming as { uvMetricsInfo?: { loopCount: number } };
  return uvMetricsInfo?.loopCount;
}

describe('a region whose wake-ups follow each other closely', () => {
  let region: MemoryRegionHandle;
  let producer: MemoryRegionHandle;

  beforeEach(() => {
    const { MemoryRegion } = native();
    region = new MemoryRegion(SIZE);
    producer = MemoryRegion.attach(region.descriptors);
  });

  afterEach(() => {
    region.close();
    producer.close();
  });

  /** Each wake-up brings the next, until `done` is fulfilled. @returns how many there were */
  async function wakingUntil(done: (onWake: (job: () => void) => void) => Promise<unknown>): Promise<number> {
    let calls = 0;
    let job: (() => void) | undefined;
    let going = true;
    region.onCommand(() => {
      calls++;
      job?.();
      job = undefined;
      if (going) producer.wake();
    });
    producer.wake();
    await done((next) => (job = next));
    going = false;
    return calls;
  }

  it('serves several of them in one turn of the event loop', async function () {
    const before = turns();
    if (before === undefined) this.skip();
    const calls = await wakingUntil(async (onWake) => {
      for (let i = 0; i < 200; i++) await new Promise<void>(onWake);
    });
    expect(calls).to.be.at.least(200);
    expect(turns()! - before).to.be.lessThan(calls / 2);
  });

  it('serves them turn by turn where several signals come at a time', async function () {
    const before = turns();
    if (before === undefined) this.skip();
    const calls = await wakingUntil(async (onWake) => {
      for (let i = 0; i < 200; i++)
        await new Promise<void>((resolve) => onWake(() => resolve(producer.wake())));
    });
    expect(turns()! - before).to.be.at.least(calls - 5);
  });

  it('leaves timers their turn', async () => {
    await wakingUntil(async () => {
      for (let i = 0; i < 5; i++) await new Promise((resolve) => setTimeout(resolve, 2));
    });
  });

  it('leaves immediates their turn, those that keep no loop alive, too', async () => {
    await wakingUntil(async (onWake) => {
      for (let i = 0; i < 5; i++) {
        await new Promise<void>((resolve) => onWake(() => setImmediate(resolve)));
        await new Promise<void>((resolve) => onWake(() => setImmediate(resolve).unref()));
      }
    });
  });

  it('leaves what threads and other descriptors bring its turn', async () => {
    const { MemoryRegion } = native();
    const other = new MemoryRegion(SIZE);
    const otherProducer = MemoryRegion.attach(other.descriptors);
    try {
      await wakingUntil(async () => {
        for (let i = 0; i < 5; i++) await stat('/');
        let left = 5;
        await new Promise<void>((resolve) => {
          otherProducer.onDoorbell(() => otherProducer.wake());
          other.onCommand(() => (--left === 0 ? resolve() : other.kick()));
          other.kick();
        });
      });
    } finally {
      other.close();
      otherProducer.close();
    }
  });

  it('can be closed by what a wake-up runs', async () => {
    let calls = 0;
    await new Promise<void>((resolve) => {
      region.onCommand(() => {
        calls++;
        producer.wake();
        if (calls < 20) return;
        region.close();
        resolve();
      });
      producer.wake();
    });
    await new Promise((resolve) => setTimeout(resolve, 2));
    expect(calls).to.equal(20);
  });

  it('reports what a callback throws, and goes on', async () => {
    const { code, stdout, stderr } = await runScript(`
      let calls = 0;
      process.on('uncaughtException', (error) => console.log(error.message));
      const region = new MemoryRegion(${SIZE});
      const producer = MemoryRegion.attach(region.descriptors);
      region.onCommand(() => {
        if (++calls === 20) return region.close(), producer.close();
        producer.wake();
        if (calls % 5 === 0) throw new Error('call ' + calls);
      });
      producer.wake();`);
    expect(code, stderr).to.equal(0);
    expect(stdout.trim().split('\n')).to.deep.equal(['call 5', 'call 10', 'call 15']);
  });
});
