import { expect } from 'chai';
import { op } from '../../src/ring/abi.js';
import { CommandRing } from '../../src/ring/command-ring.js';
import type { RingCommand } from '../../src/ring/ring-command.js';
import { rawEntry, Recorder, sixByteCdb, SMALL_ENTRY, startRing, TestRegion, turn } from './support.js';

const GOOD = 0x00;

const complete = (command: RingCommand): void => command.complete(GOOD);

/** Offset and length of each segment. */
function runs({ segments }: RingCommand['dataOut']): [number, number][] {
  return segments.map(({ byteOffset, length }) => [byteOffset, length]);
}

describe('command ring', () => {
  describe('fetching', () => {
    it('hands out a command with its id, its CDB and its buffers', () => {
      const { region, recorder } = startRing();
      const base = region.dataOffset;
      const data = [
        { offset: base + 4096, length: 8192 },
        { offset: base, length: 512 },
      ];
      const cdb = Uint8Array.of(0x88, ...new Uint8Array(15).fill(9));
      region.writer.writeCommand(0xbeef, cdb, data, []);
      region.wake();

      expect(recorder.ids).to.deep.equal([0xbeef]);
      const [command] = recorder.commands;
      expect([...command.cdb.subarray(0, command.cdbLength)]).to.deep.equal([...cdb]);
      expect(runs(command.dataOut)).to.deep.equal([
        [base + 4096, 8192],
        [base, 512],
      ]);
      expect(command.dataOut.byteLength).to.equal(8704);
      expect(command.dataIn).to.equal(command.dataOut);
      expect(command.dataOut.segments[0].buffer).to.equal(region.buffer);
    });

    it('tells the two buffers of a bidirectional command apart', () => {
      const { region, recorder } = startRing();
      const base = region.dataOffset;
      region.writer.writeCommand(
        1,
        sixByteCdb,
        [{ offset: base, length: 1000 }],
        [
          { offset: base + 4096, length: 4096 },
          { offset: base + 16384, length: 1 },
        ],
      );
      region.wake();
      const [command] = recorder.commands;
      expect(runs(command.dataOut)).to.deep.equal([[base, 1000]]);
      expect(runs(command.dataIn)).to.deep.equal([
        [base + 4096, 4096],
        [base + 16384, 1],
      ]);
      expect(command.dataIn.byteLength).to.equal(4097);
    });

    it('takes a buffer that ends with the region, and leaves out an empty one', () => {
      const { region, recorder } = startRing();
      const end = region.buffer.byteLength;
      region.writer.writeCommand(
        1,
        sixByteCdb,
        [
          { offset: end, length: 0 },
          { offset: end - 512, length: 512 },
        ],
        [],
      );
      region.wake();
      expect(runs(recorder.commands[0].dataOut)).to.deep.equal([[end - 512, 512]]);
    });

    it('takes nothing before it is started, and all that waits then', () => {
      const region = new TestRegion();
      const recorder = new Recorder();
      const ring = new CommandRing(region, recorder);
      region.command(1);
      region.command(2);
      region.wake();
      expect(recorder.ids).to.deep.equal([]);
      ring.start();
      expect(recorder.ids).to.deep.equal([1, 2]);
    });

    it('resumes at the tail: a daemon that starts again is given what the last one did not answer', () => {
      const region = new TestRegion();
      const first = startRing(region);
      for (const id of [1, 2, 3]) region.command(id);
      region.wake();
      first.recorder.commands[0].complete(GOOD);
      first.ring.close();
      expect(region.writer.tail).to.equal(SMALL_ENTRY);

      const second = startRing(region);
      expect(second.recorder.ids).to.deep.equal([2, 3]);
      second.recorder.commands.forEach(complete);
      expect(region.writer.tail).to.equal(region.writer.head);
    });

    it('finds commands by id while they run', () => {
      const { ring, region, recorder } = startRing();
      region.command(1);
      region.command(0xffff);
      region.wake();
      expect(ring.inFlight).to.equal(2);
      expect(ring.find(0xffff)).to.equal(recorder.commands[1]);
      expect([...ring.commands()].map(({ id }) => id)).to.deep.equal([1, 0xffff]);
      recorder.commands[1].complete(GOOD);
      expect(ring.find(0xffff)).to.equal(undefined);
      expect([...ring.commands()].map(({ id }) => id)).to.deep.equal([1]);
    });

    it('takes a wake-up that found nothing, and one in the middle of a command', () => {
      const { region, recorder } = startRing();
      recorder.answer = (command) => {
        region.wake();
        command.complete(GOOD);
      };
      region.wake();
      region.command(1);
      region.command(2);
      region.wake();
      region.wake();
      expect(recorder.ids).to.deep.equal([1, 2]);
      expect(region.tails).to.deep.equal([2 * SMALL_ENTRY]);
      expect(region.kicks).to.equal(1);
    });

    it('looks at the head again before it sleeps', () => {
      const { region, recorder } = startRing();
      recorder.answer = ({ id }) => void (id < 4 && region.command(id + 1));
      region.command(1);
      region.wake();
      expect(recorder.ids).to.deep.equal([1, 2, 3, 4]);
    });

    it('gives other work its turn when commands never stop coming', async () => {
      const { region, recorder } = startRing(new TestRegion(65536));
      let others = false;
      setImmediate(() => (others = true));
      recorder.answer = (command) => {
        if (!others && command.id < 60_000) region.command(command.id + 1);
        command.complete(GOOD);
      };
      region.command(1);
      region.wake();
      expect(recorder.ids.length).to.be.lessThan(60_000);
      while (!others) await turn();
      while (region.writer.tail !== region.writer.head) await turn();
      expect(region.writer.tail).to.equal(region.writer.head);
    });
  });

  describe('end of the ring', () => {
    it('is crossed over a PAD', () => {
      const { region, recorder } = startRing(new TestRegion(SMALL_ENTRY * 2 + 8));
      recorder.answer = complete;
      for (let id = 1; id <= 20; id++) {
        region.command(id);
        region.wake();
        expect(region.writer.tail).to.equal(region.writer.head);
      }
      expect(recorder.ids).to.deep.equal(Array.from({ length: 20 }, (_, index) => index + 1));
    });

    it('is reached exactly', () => {
      const { region, recorder } = startRing(new TestRegion(SMALL_ENTRY * 2));
      recorder.answer = complete;
      for (const id of [1, 2, 3]) {
        region.command(id);
        region.wake();
      }
      expect(region.tails).to.deep.equal([SMALL_ENTRY, 0, SMALL_ENTRY]);
    });

    it('leaves a PAD behind without a command after it', () => {
      const { region, recorder } = startRing(new TestRegion(2 * SMALL_ENTRY + 16));
      region.command(1);
      region.wake();
      recorder.commands[0].complete(GOOD);
      region.command(2);
      region.writer.writeRaw(rawEntry(16, op.pad));
      region.wake();
      expect(region.tails).to.deep.equal([SMALL_ENTRY]);
      recorder.commands[1].complete(GOOD);
      expect(region.tails).to.deep.equal([SMALL_ENTRY, 0]);
    });
  });
});
