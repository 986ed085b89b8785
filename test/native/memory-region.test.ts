import { Worker } from 'node:worker_threads';
import { once } from 'node:events';
import { expect } from 'chai';
import { native, type MemoryRegionHandle } from '../../src/native/addon.js';
import { cleanExit, runScript, withAddon } from './support/script.js';
import { thrownBy } from './support/errors.js';

const CMD_HEAD = 12;
const CMD_TAIL = 64;
const SIZE = 64 * 1024;

describe('MemoryRegion', () => {
  const { MemoryRegion } = native();
  let consumer: MemoryRegionHandle;
  let producer: MemoryRegionHandle;

  beforeEach(() => {
    consumer = new MemoryRegion(SIZE);
    producer = MemoryRegion.attach(consumer.descriptors);
  });

  afterEach(() => {
    consumer.close();
    producer.close();
  });

  describe('its memory', () => {
    it('begins as zeroes, of the size asked for', () => {
      expect(consumer.buffer).to.be.instanceOf(ArrayBuffer);
      expect(consumer.buffer.byteLength).to.equal(SIZE);
      expect(new Uint8Array(consumer.buffer).every((byte) => byte === 0)).to.equal(true);
    });

    it('is the same in both handles, by different addresses', () => {
      new Uint8Array(producer.buffer).set([1, 2, 3], SIZE - 3);
      expect([...new Uint8Array(consumer.buffer, SIZE - 3)]).to.deep.equal([1, 2, 3]);
      expect(producer.buffer).not.to.equal(consumer.buffer);
    });

    it('has cmd_head at byte 12 and cmd_tail at byte 64, 32 bits little-endian', () => {
      const view = new DataView(consumer.buffer);
      producer.storeHead(0xfffffff0);
      consumer.storeTail(0x01020304);
      expect(view.getUint32(CMD_HEAD, true)).to.equal(0xfffffff0);
      expect(view.getUint32(CMD_TAIL, true)).to.equal(0x01020304);
      expect(consumer.loadHead()).to.equal(0xfffffff0);
      expect(producer.loadTail()).to.equal(0x01020304);

      view.setUint32(CMD_HEAD, 0x40, true);
      view.setUint32(CMD_TAIL, 0x80, true);
      expect(consumer.loadHead()).to.equal(0x40);
      expect(producer.loadTail()).to.equal(0x80);
    });

    it('writes nothing but cmd_head and cmd_tail', () => {
      const bytes = new Uint8Array(consumer.buffer).fill(0xa5);
      producer.storeHead(0xa5a5a5a5);
      consumer.storeTail(0xa5a5a5a5);
      expect(bytes.every((byte) => byte === 0xa5)).to.equal(true);
    });

    it('lives on in the other handle when one is closed', () => {
      new Uint8Array(consumer.buffer)[200] = 7;
      consumer.close();
      expect(new Uint8Array(producer.buffer)[200]).to.equal(7);
    });
  });

  describe('its signals', () => {
    it('wake calls the consumer, with the handle as this', async () => {
      const receiver = await new Promise<unknown>((resolve) => {
        consumer.onCommand(function (this: unknown) {
          resolve(this);
        });
        producer.wake();
      });
      expect(receiver).to.equal(consumer);
    });

    it('kick calls the producer', async () => {
      await new Promise<void>((resolve) => {
        producer.onDoorbell(resolve);
        consumer.kick();
      });
    });

    it('a wake that came before onCommand is delivered', async () => {
      producer.wake();
      await new Promise<void>((resolve) => consumer.onCommand(resolve));
    });

    it('a wake during the callback calls it again', async () => {
      let calls = 0;
      await new Promise<void>((resolve) => {
        consumer.onCommand(() => {
          calls += 1;
          if (calls === 1) producer.wake();
          else resolve();
        });
        producer.wake();
      });
      expect(calls).to.equal(2);
    });

    it('several wakes before a callback are one call', async () => {
      let calls = 0;
      consumer.onCommand(() => (calls += 1));
      for (let i = 0; i < 10; i++) producer.wake();
      // The doorbell is polled by the same loop: when it has gone to and fro, the wakes have been seen.
      for (let i = 0; i < 20; i++) await roundTrip(consumer, producer, i === 0);
      expect(calls).to.equal(1);
    });

    it('publish stores the tail and calls the producer', async () => {
      const tail = await new Promise<number>((resolve) => {
        producer.onDoorbell(() => resolve(producer.loadTail()));
        consumer.publish(0x140);
      });
      expect(tail).to.equal(0x140);
    });

    it('a wake calls nobody where everything up to the head is fetched, and calls again where it is not', async () => {
      let calls = 0;
      consumer.onCommand(() => (calls += 1));
      producer.storeHead(0x80);
      consumer.fetched[0] = 0x80;
      producer.wake();
      for (let i = 0; i < 20; i++) await roundTrip(consumer, producer, i === 0);
      expect(calls).to.equal(0);
      producer.storeHead(0x100);
      producer.wake();
      // Several of them may pass in one turn of the loop.
      for (let i = 0; i < 20; i++) await roundTrip(consumer, producer, false);
      expect(calls).to.equal(1);
    });

    it('the position of what is fetched begins as none', () => {
      expect([...consumer.fetched]).to.deep.equal([0xffffffff]);
    });

    it('a second listener is refused', () => {
      consumer.onCommand(() => {});
      expect(() => consumer.onCommand(() => {})).to.throw('MemoryRegion has a listener already');
    });

    it('close in the callback ends the calls', async () => {
      let calls = 0;
      consumer.onCommand(() => {
        calls += 1;
        producer.wake();
        consumer.close();
      });
      producer.wake();
      const other = new MemoryRegion(SIZE);
      const otherProducer = MemoryRegion.attach(other.descriptors);
      for (let i = 0; i < 20; i++) await roundTrip(other, otherProducer, i === 0);
      other.close();
      otherProducer.close();
      expect(calls).to.equal(1);
    });
  });

  describe('after close', () => {
    it('its buffer and the views of it have no bytes', () => {
      const view = new Uint8Array(consumer.buffer, 128, 64);
      consumer.close();
      expect(consumer.buffer.byteLength).to.equal(0);
      expect(view.byteLength).to.equal(0);
      expect(view[0]).to.equal(undefined);
    });

    it('close again does nothing', () => {
      consumer.close();
      consumer.close();
    });

    it('every other method throws and says that the region is closed', () => {
      consumer.onCommand(() => {});
      consumer.close();
      const calls: Record<string, () => unknown> = {
        loadHead: () => consumer.loadHead(),
        storeTail: () => consumer.storeTail(0),
        kick: () => consumer.kick(),
        publish: () => consumer.publish(0),
        whole: () => consumer.whole(),
        onCommand: () => consumer.onCommand(() => {}),
        setRef: () => consumer.setRef(true),
        storeHead: () => consumer.storeHead(0),
        loadTail: () => consumer.loadTail(),
        wake: () => consumer.wake(),
        onDoorbell: () => consumer.onDoorbell(() => {}),
      };
      for (const [method, call] of Object.entries(calls)) {
        expect(call, method).to.throw(`MemoryRegion.${method}: the region is closed`);
      }
    });

    it('close survives a buffer that someone else has detached', () => {
      const moved = structuredClone(consumer.buffer, { transfer: [consumer.buffer] });
      consumer.close();
      expect(moved.byteLength).to.equal(SIZE);
      expect(new Uint8Array(moved)[0]).to.equal(0);
    });
  });

  describe('a large region', () => {
    const LARGE = 40 * 2 ** 20;
    let large: MemoryRegionHandle;

    beforeEach(() => (large = new MemoryRegion(LARGE)));
    afterEach(() => large.close());

    it('shows its beginning, and all of it on request', () => {
      expect(large.size).to.equal(LARGE);
      expect(large.buffer.byteLength).to.equal(16 * 2 ** 20);
      const whole = large.whole();
      expect(whole.byteLength).to.equal(LARGE);
      expect(large.whole()).to.equal(whole);
      new Uint8Array(whole)[5000] = 7;
      expect(new Uint8Array(large.buffer)[5000]).to.equal(7);
      new Uint8Array(whole)[LARGE - 1] = 8;
      large.close();
      expect([large.buffer.byteLength, whole.byteLength]).to.deep.equal([0, 0]);
    });

    it('is all there at once where it is small', () => {
      expect(consumer.size).to.equal(SIZE);
      expect(consumer.whole()).to.equal(consumer.buffer);
    });

    it('close survives that someone else has detached all of it', () => {
      const whole = large.whole();
      new Uint8Array(whole)[LARGE - 1] = 9;
      const moved = structuredClone(whole, { transfer: [whole] });
      large.close();
      expect(large.buffer.byteLength).to.equal(0);
      expect(new Uint8Array(moved)[LARGE - 1]).to.equal(9);
    });

    it('is no reason to collect garbage', async () => {
      const result = await runScript(`
        const { constants, PerformanceObserver } = require('node:perf_hooks');
        let collections = 0;
        new PerformanceObserver((list) => {
          for (const { detail } of list.getEntries()) {
            if (detail.kind !== constants.NODE_PERFORMANCE_GC_MINOR) collections++;
          }
        }).observe({ entryTypes: ['gc'] });
        (async () => {
          const regions = [];
          for (let i = 0; i < 16; i++) {
            regions.push(new MemoryRegion(2 ** 28));
            new Uint8Array(regions[i].buffer)[0] = new Uint8Array(4096).length;
            await turn();
          }
          for (const region of regions) region.close();
          for (let i = 0; i < 10; i++) await turn();
          console.log(collections < 8);
        })();
      `);
      expect(result).to.deep.equal(cleanExit('true\n'));
    });
  });

  describe('bad arguments', () => {
    it('refuses a size that is no region', () => {
      for (const size of [0, -1, 127, 4096.5, NaN, Infinity, 2 ** 53]) {
        expect(() => new MemoryRegion(size), String(size)).to.throw(RangeError, 'MemoryRegion: size');
      }
      for (const size of ['4096', undefined, null, 4096n]) {
        expect(() => new MemoryRegion(size as never), String(size)).to.throw(TypeError, 'MemoryRegion: size');
      }
    });

    it('a size beyond the address space is a failed system call', () => {
      const error = thrownBy(() => new MemoryRegion(2 ** 50));
      expect(error.code).to.be.oneOf(['ENOMEM', 'EFBIG', 'EINVAL']);
      expect(error.syscall).to.be.oneOf(['mmap', 'ftruncate']);
    });

    it('refuses a position that is no 32-bit number', () => {
      for (const position of [-1, 2 ** 32, 0.5, NaN]) {
        expect(() => consumer.storeTail(position)).to.throw(RangeError, 'MemoryRegion: tail');
        expect(() => producer.storeHead(position)).to.throw(RangeError, 'MemoryRegion: head');
      }
    });

    it('refuses a callback that is no function, and a reference that is no boolean', () => {
      expect(() => consumer.onCommand(undefined as never)).to.throw(TypeError, 'onCommand callback');
      expect(() => producer.onDoorbell({} as never)).to.throw(TypeError, 'onDoorbell callback');
      expect(() => consumer.setRef(1 as never)).to.throw(TypeError, 'setRef argument must be a boolean');
    });

    it('attach refuses what is not the memory of a region', () => {
      const good = consumer.descriptors;
      expect(() => MemoryRegion.attach(7 as never)).to.throw(TypeError, 'descriptors must be an object');
      expect(() => MemoryRegion.attach({} as never)).to.throw(TypeError, 'MemoryRegion: memory');
      expect(() => MemoryRegion.attach({ ...good, memory: good.wake })).to.throw('is not the memory');
      expect(() => MemoryRegion.attach({ ...good, size: SIZE * 2 })).to.throw('is not the memory');
      expect(thrownBy(() => MemoryRegion.attach({ ...good, wake: 2 ** 30 })).code).to.equal('EBADF');
    });

    it('refuses a stranger as this, and a call without new', () => {
      expect(() => consumer.loadHead.call({} as never)).to.throw(TypeError);
      expect(() => (MemoryRegion as unknown as (size: number) => void)(SIZE)).to.throw(TypeError, 'new');
    });
  });

  it('carries every message, in order, between two threads that share nothing else', async () => {
    const COUNT = 20_000;
    const SLOTS = 256;
    const worker = new Worker(
      withAddon(`
        const region = MemoryRegion.attach(workerData.descriptors);
        const slots = new Uint32Array(region.buffer, 4096, ${SLOTS});
        let next = 0;
        region.onCommand(() => {
          for (; next !== region.loadHead(); next++) {
            assert.strictEqual(slots[next % ${SLOTS}], (next * 2654435761) >>> 0);
          }
          region.storeTail(next);
          region.kick();
          if (next === ${COUNT}) region.close();
        });
        parentPort.postMessage('polling');
        parentPort.unref();
      `),
      { eval: true, workerData: { descriptors: consumer.descriptors } },
    );
    const exit = once(worker, 'exit');
    await once(worker, 'message');

    const slots = new Uint32Array(producer.buffer, 4096, SLOTS);
    let sent = 0;
    await new Promise<void>((resolve, reject) => {
      worker.once('error', reject);
      const fill = (): void => {
        const tail = producer.loadTail();
        if (tail === COUNT) return resolve();
        while (sent < COUNT && sent - tail < SLOTS) {
          slots[sent % SLOTS] = Math.imul(sent, 2654435761) >>> 0;
          sent += 1;
          producer.storeHead(sent);
        }
        producer.wake();
      };
      producer.onDoorbell(fill);
      fill();
    });
    expect(sent).to.equal(COUNT);
    expect(await exit).to.deep.equal([0]);
  });
});

/** One doorbell through the loop; the first call installs the listener that the later ones share. */
const pending = new WeakMap<MemoryRegionHandle, () => void>();
function roundTrip(
  consumer: MemoryRegionHandle,
  producer: MemoryRegionHandle,
  first: boolean,
): Promise<void> {
  if (first) producer.onDoorbell(() => pending.get(producer)?.());
  return new Promise((resolve) => {
    pending.set(producer, resolve);
    consumer.kick();
  });
}
