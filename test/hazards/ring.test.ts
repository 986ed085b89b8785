import { expect } from 'chai';
import { Device } from '../../src/device/device.js';
import type { Disk } from '../../src/handlers/contract.js';
import { EmulatedKernel } from '../../src/testing/emulated-kernel.js';
import { Initiator } from '../../src/testing/initiator.js';
import { cleanExit, runNode, type ScriptResult } from '../native/support/script.js';

/*
 * What handlers and initiators can do to a ring: more commands than it holds, buffers used after their time, a
 * device that goes away in the middle.
 */

const BLOCK = 512;
const log = { debug: quiet, info: quiet, warn: quiet, error: quiet };

function quiet(): void {
  return undefined;
}

/** A disk whose verbs end in a later turn, some of them several turns later, so that they overtake each other. */
class SlowDisk implements Disk {
  readonly #bytes: Uint8Array;
  #calls = 0;
  mostAtOnce = 0;
  #atOnce = 0;

  constructor(readonly size: number) {
    this.#bytes = new Uint8Array(size);
  }

  read(buffer: Uint8Array, offset: number): Promise<void> {
    return this.#later(() => buffer.set(this.#bytes.subarray(offset, offset + buffer.length)));
  }

  write(buffer: Uint8Array, offset: number): Promise<void> {
    return this.#later(() => this.#bytes.set(buffer, offset));
  }

  async #later(transfer: () => void): Promise<void> {
    this.mostAtOnce = Math.max(this.mostAtOnce, ++this.#atOnce);
    const turns = 1 + ((this.#calls++ * 7) % 5);
    for (let count = 0; count < turns; count++) await new Promise((resolve) => setImmediate(resolve));
    transfer();
    this.#atOnce--;
  }
}

/** Run an ES module that may import the sources, in a process of its own: a crash there is a result here. */
function runModule(body: string): Promise<ScriptResult> {
  const preamble = `
    import assert from 'node:assert';
    import { readFileSync } from 'node:fs';
    import { native } from './src/native/addon.ts';
    import { CommandRing } from './src/ring/command-ring.ts';
    import { Device } from './src/device/device.ts';
    import { RingWriter } from './src/testing/ring-writer.ts';
    const RING = 4096;
    const DATA = 128 + RING;
    const { MemoryRegion } = native();
    const producer = new MemoryRegion(DATA + 65536);
    const writer = new RingWriter(producer.buffer, RING);
    const consumer = MemoryRegion.attach(producer.descriptors);
    const mappedRegions = () =>
      readFileSync('/proc/self/maps', 'utf8').split('memfd:lunette-region').length - 1;
    const doorbell = () => new Promise((resolve) => producer.onDoorbell(resolve));
    const read = (id) => writer.writeCommand(id, Uint8Array.of(0x08, 0, 0, 0, 1, 0),
      [{ offset: DATA + 4096 * id, length: 512 }], []);
    const statusOf = (index) => writer.readResponse(120 * index).response.status;
  `;
  return runNode(['--import', 'tsx', '--input-type=module', '--eval', preamble + body]);
}

describe('a ring under load', () => {
  const settings = [
    { what: 'a ring of a few entries', ringSize: 616, dataBlocks: 256, fragmented: true },
    { what: 'a data area of a few blocks', ringSize: 65536, dataBlocks: 8, fragmented: false },
  ];
  for (const { what, ...options } of settings) {
    it(`answers thousands of commands, all sent at once, over ${what}`, async () => {
      const kernel = new EmulatedKernel({ ...options, blockSize: BLOCK });
      const disk = new SlowDisk(1500 * BLOCK);
      const device = new Device({ name: 'user_0/load', region: kernel.region, disk, log });
      device.start();
      const initiator = new Initiator(kernel);
      await initiator.readCapacity();

      const data = (lba: number): Uint8Array => new Uint8Array(3 * BLOCK).fill(lba * 3 + 1);
      const places = Array.from({ length: 500 }, (_, index) => index * 3);
      const writes = places.map((lba) => initiator.write(lba, data(lba)));
      await new Promise((resolve) => process.nextTick(resolve));
      expect(kernel.queued).to.be.greaterThan(400);
      await Promise.all(writes);
      const blocks = await Promise.all(places.map((lba) => initiator.read(lba, 3)));
      blocks.forEach((block, index) => expect(block).to.deep.equal(data(places[index])));
      await Promise.all(Array.from({ length: 3000 }, () => initiator.testUnitReady()));

      expect(disk.mostAtOnce).to.be.greaterThan(1);
      expect([kernel.unfinished, kernel.queued, kernel.entriesOnRing]).to.deep.equal([0, 0, 0]);
      expect(kernel.freeDataBlocks).to.equal(options.dataBlocks);
      await device.close();
    });
  }

  it('takes a device that is removed in the middle of it', async () => {
    const kernel = new EmulatedKernel();
    const disk = new SlowDisk(1024 * BLOCK);
    const broken: string[] = [];
    const device = new Device({
      name: 'user_0/gone',
      region: kernel.region,
      disk,
      log,
      onBroken: ({ code }) => broken.push(code),
    });
    device.start();
    for (let lba = 0; lba < 100; lba++) {
      kernel.queue({ cdb: Uint8Array.of(0x08, 0, 0, lba, 1, 0), dataInLength: BLOCK });
    }
    while (device.inFlight === 0) await new Promise((resolve) => setImmediate(resolve));
    kernel.removeDevice();
    expect(broken).to.deep.equal(['REGION_FAILED']);
    await device.close();
    expect([device.inFlight, device.state]).to.deep.equal([0, 'closed']);
  });
});

describe('a buffer that is used after its time', () => {
  it('is empty once the region is unmapped, and late answers go nowhere', async () => {
    const result = await runModule(`
      const commands = [];
      const segments = [];
      const ring = new CommandRing(consumer, {
        onCommand: (command) => {
          commands.push(command);
          segments.push(...command.dataIn.segments);
        },
        onBroken: (error) => { throw error; },
      });
      ring.start();
      for (const id of [1, 2, 3]) read(id);
      assert.strictEqual(commands.length, 0);
      producer.wake();
      while (commands.length < 3) await new Promise((resolve) => setImmediate(resolve));
      segments[0].fill(7);
      commands[0].complete(0);
      const rang = doorbell();
      ring.close();
      consumer.close();
      await rang;
      assert.strictEqual(writer.tail, 120);
      assert.deepStrictEqual(new Uint8Array(producer.buffer, DATA + 4096, 512), new Uint8Array(512).fill(7));

      for (const segment of segments) {
        assert.strictEqual(segment.length, 0);
        assert.throws(() => segment.fill(9), TypeError);
        segment[0] = 9;
      }
      commands[1].complete(2, new Uint8Array(18).fill(1));
      commands[2].expire(8);
      commands[2].complete(0);
      assert.strictEqual(writer.tail, 120);
      assert.strictEqual(ring.inFlight, 0);
      producer.close();
      console.log(mappedRegions());
    `);
    expect(result).to.deep.equal(cleanExit('0\n'));
  });

  it('stays mapped for a verb that outlives its device', async () => {
    const result = await runModule(`
      let finish;
      const disk = {
        size: 1 << 20,
        read: (buffer) => new Promise((resolve) => {
          finish = () => {
            buffer.fill(5);
            resolve();
          };
        }),
      };
      const quiet = () => undefined;
      const log = { debug: quiet, info: quiet, warn: quiet, error: quiet };
      const device = new Device({ name: 'user_0/stuck', region: consumer, disk, log });
      device.start();
      // Takes the unit attention of power on.
      writer.writeCommand(9, new Uint8Array(6), [], []);
      read(1);
      producer.wake();
      while (finish === undefined) await new Promise((resolve) => setImmediate(resolve));
      await device.close(0);
      const before = mappedRegions();
      const busy = statusOf(1);
      finish();
      await new Promise((resolve) => setImmediate(resolve));
      console.log(before, busy, mappedRegions(), new Uint8Array(producer.buffer)[DATA + 4096]);
      producer.close();
    `);
    expect(result).to.deep.equal(cleanExit('2 8 1 5\n'));
  });
});
