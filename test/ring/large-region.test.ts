import { once } from 'node:events';
import { expect } from 'chai';
import { native, type MemoryRegionHandle } from '../../src/native/addon.js';
import { CommandRing } from '../../src/ring/command-ring.js';
import type { RingCommand } from '../../src/ring/ring-command.js';
import { RingWriter } from '../../src/testing/ring-writer.js';

const MIB = 2 ** 20;
const SIZE = 48 * MIB;
const RING = 4096;
const LENGTH = 4096;

describe('a ring whose region is larger than the beginning that is seen at once', () => {
  let producer: MemoryRegionHandle;
  let consumer: MemoryRegionHandle;
  let ring: CommandRing;
  let writer: RingWriter;
  const seen = new EventTarget();
  const commands: RingCommand[] = [];

  beforeEach(() => {
    const { MemoryRegion } = native();
    producer = new MemoryRegion(SIZE);
    writer = new RingWriter(producer.buffer, RING);
    consumer = MemoryRegion.attach(producer.descriptors);
    commands.length = 0;
    ring = new CommandRing(consumer, {
      onCommand: (command) => {
        commands.push(command);
        seen.dispatchEvent(new Event('command'));
      },
      onBroken: () => seen.dispatchEvent(new Event('broken')),
    });
    ring.start();
  });

  afterEach(() => {
    ring.close();
    consumer.close();
    producer.close();
  });

  /** A command with its data there. */
  async function send(id: number, offset: number, awaited: string): Promise<void> {
    const happened = once(seen, awaited);
    writer.writeCommand(id, Uint8Array.of(0x08, 0, 0, 0, 8, 0), [{ offset, length: LENGTH }], []);
    producer.wake();
    await happened;
  }

  it('has commands’ data wherever it lies', async () => {
    const places = [MIB, 16 * MIB - LENGTH / 2, SIZE - LENGTH, 2 * MIB];
    for (const [index, offset] of places.entries()) {
      await send(index + 1, offset, 'command');
      commands[index].dataIn.segments[0].fill(index + 1);
      commands[index].complete(0);
    }
    const memory = new Uint8Array(producer.whole());
    for (const [index, offset] of places.entries()) {
      expect([...memory.subarray(offset, offset + LENGTH)].every((byte) => byte === index + 1)).to.equal(
        true,
      );
    }
    expect(ring.broken).to.equal(undefined);
  });

  it('takes nothing that goes beyond its end', async () => {
    await send(1, SIZE - LENGTH + 1, 'broken');
    expect(ring.broken?.message).to.include('outside the data area');
    expect(commands).to.deep.equal([]);
  });
});
