import { expect } from 'chai';
import { header, mailbox, mailboxFlag, op, response, tmrType, userFlag } from '../../src/ring/abi.js';
import { CommandRing } from '../../src/ring/command-ring.js';
import type { RingCommand } from '../../src/ring/ring-command.js';
import { commandEntrySize, RingWriter } from '../../src/testing/ring-writer.js';
import { Recorder, sixByteCdb, SMALL_ENTRY, startRing, TestRegion, turn } from './support.js';

const GOOD = 0x00;
const CHECK_CONDITION = 0x02;
const BUSY = 0x08;

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
      region.wake();
      region.wake();
      expect(recorder.ids).to.deep.equal([1]);
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
      recorder.answer = (command) => {
        if (command.id < 200) region.command(command.id + 1);
        command.complete(GOOD);
      };
      region.command(1);
      region.wake();
      expect(recorder.ids.length).to.be.lessThan(100);
      while (recorder.ids.length < 200) await turn();
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

  describe('answering', () => {
    it('a single command publishes its tail and rings at once', () => {
      const { region, recorder } = startRing();
      region.command(1);
      region.wake();
      expect(region.kicks).to.equal(0);
      recorder.commands[0].complete(GOOD);
      expect(region.tails).to.deep.equal([SMALL_ENTRY]);
      expect(region.kicks).to.equal(1);
    });

    it('a batch answered as it comes has one tail and one doorbell', () => {
      const { region, recorder } = startRing();
      recorder.answer = complete;
      for (let id = 1; id <= 10; id++) region.command(id);
      region.wake();
      expect(region.tails).to.deep.equal([10 * SMALL_ENTRY]);
      expect(region.kicks).to.equal(1);
    });

    it('a batch answered later in one turn has one tail and one doorbell', async () => {
      const { region, recorder } = startRing();
      for (let id = 1; id <= 10; id++) region.command(id);
      region.wake();
      for (const command of recorder.commands.slice(0, 9)) command.complete(GOOD);
      expect(region.kicks).to.equal(0);
      await turn();
      expect(region.tails).to.deep.equal([9 * SMALL_ENTRY]);
      expect(region.kicks).to.equal(1);
      recorder.commands[9].complete(GOOD);
      expect(region.kicks).to.equal(2);
    });

    it('out of order steals the entry at the tail, the id with it', async () => {
      const { region, recorder } = startRing();
      const positions = [1, 2, 3].map((id) => region.command(id));
      region.wake();
      const [first, second, third] = recorder.commands;
      third.complete(BUSY);
      await turn();
      expect(region.writer.tail).to.equal(positions[1]);
      expect(region.response(positions[0])).to.include({ id: 3, status: BUSY });
      expect(region.response(positions[1])).to.include({ id: 2 });
      first.complete(GOOD);
      second.complete(CHECK_CONDITION);
      expect(region.response(positions[1])).to.include({ id: 1, status: GOOD });
      expect(region.response(positions[2])).to.include({ id: 2, status: CHECK_CONDITION });
      expect(region.writer.tail).to.equal(region.writer.head);
    });

    it('leaves the CDB and buffers of the command it stole from as they were', () => {
      const { region, recorder } = startRing();
      region.writer.writeCommand(
        1,
        Uint8Array.of(0x12, 0, 0, 0, 36, 0),
        [{ offset: region.dataOffset, length: 36 }],
        [],
      );
      region.command(2);
      region.wake();
      recorder.commands[1].complete(CHECK_CONDITION, new Uint8Array(96).fill(0xee));
      const [first] = recorder.commands;
      expect([...first.cdb.subarray(0, first.cdbLength)]).to.deep.equal([0x12, 0, 0, 0, 36, 0]);
      expect(runs(first.dataIn)).to.deep.equal([[region.dataOffset, 36]]);
    });

    it('copies sense data, and zeroes what the entry had behind it', () => {
      const { region, recorder } = startRing();
      const at = region.command(1);
      new Uint8Array(region.buffer, region.entryAt(at) + response.sense + 18, 60).fill(0xaa);
      region.wake();
      const sense = Uint8Array.from({ length: 18 }, (_, index) => index + 1);
      recorder.commands[0].complete(CHECK_CONDITION, sense);
      expect([...region.response(at).sense]).to.deep.equal([...sense, ...new Uint8Array(78)]);
    });

    it('takes no more than 96 bytes of sense data', () => {
      const { region, recorder } = startRing();
      const at = region.command(1);
      const next = region.command(2);
      region.wake();
      recorder.commands[0].complete(CHECK_CONDITION, new Uint8Array(252).fill(0x72));
      expect([...region.response(at).sense]).to.deep.equal(Array.from({ length: 96 }, () => 0x72));
      expect(region.response(next).id).to.equal(2);
    });

    it('says how much of Data-In is valid, and nothing where it is all', () => {
      const { region, recorder } = startRing();
      const [first, second] = [region.command(1), region.command(2)];
      region.wake();
      recorder.commands[0].complete(GOOD, undefined, 36);
      recorder.commands[1].complete(GOOD);
      expect(region.response(first).readLength).to.equal(36);
      expect(region.response(second).readLength).to.equal(undefined);
    });

    it('clears flags that stood in the entry', () => {
      const { region, recorder } = startRing();
      const at = region.command(1);
      region.view.setUint8(region.entryAt(at) + header.userFlags, 0xff);
      region.wake();
      recorder.commands[0].complete(GOOD);
      expect(region.view.getUint8(region.entryAt(at) + header.userFlags)).to.equal(0);
    });

    it('asks to keep a buffer, and knows that it did', () => {
      const { region, recorder } = startRing();
      const at = region.command(1);
      region.wake();
      recorder.commands[0].complete(GOOD, undefined, undefined, true);
      expect(region.response(at).keepBuffer).to.equal(true);
      expect(recorder.commands[0].keptBuffer).to.equal(true);
    });

    it('sets no flag that the kernel did not offer', () => {
      const region = new TestRegion();
      region.view.setUint16(mailbox.flags, mailboxFlag.outOfOrder, true);
      const { recorder } = startRing(region);
      const at = region.command(1);
      region.wake();
      recorder.commands[0].complete(GOOD, undefined, 36, true);
      expect(region.view.getUint8(region.entryAt(at) + header.userFlags)).to.equal(0);
      expect(recorder.commands[0].keptBuffer).to.equal(false);
    });

    it('a second time is ignored', async () => {
      const { ring, region, recorder } = startRing();
      const [first, second] = [region.command(1), region.command(2)];
      region.wake();
      recorder.commands[0].complete(GOOD);
      recorder.commands[0].complete(BUSY);
      await turn();
      expect(region.tails).to.deep.equal([SMALL_ENTRY]);
      expect(region.response(first).status).to.equal(GOOD);
      expect(region.response(second).id).to.equal(2);
      expect(ring.inFlight).to.equal(1);
    });

    it('uses the command objects again', () => {
      const { region, recorder } = startRing();
      recorder.answer = complete;
      for (let id = 1; id <= 5; id++) {
        region.command(id);
        region.wake();
      }
      expect(new Set(recorder.commands).size).to.equal(1);
      expect(recorder.commands[0].generation).to.equal(5);
    });
  });

  describe('entries that are no command', () => {
    it('are stepped over at once where nothing runs', () => {
      const { region, recorder } = startRing();
      region.writer.writeTaskManagement(tmrType.lunReset, []);
      region.wake();
      expect(region.writer.tail).to.equal(region.writer.head);
      expect(recorder.taskManagement).to.deep.equal([{ type: tmrType.lunReset, ids: [] }]);
    });

    it('of task management are told before the commands they name are answered', () => {
      const { region, recorder } = startRing();
      for (const id of [1, 2, 3]) region.command(id);
      region.writer.writeTaskManagement(tmrType.abortTask, [2, 0xffff, 3]);
      region.wake();
      expect(recorder.taskManagement).to.deep.equal([{ type: tmrType.abortTask, ids: [2, 0xffff, 3] }]);
      expect(region.tails).to.deep.equal([]);
      recorder.commands.forEach(complete);
      expect(region.writer.tail).to.equal(region.writer.head);
    });

    it('of task management never take a response', async () => {
      const { region, recorder } = startRing();
      region.command(1);
      const size = RingWriter.taskManagementSize(1);
      region.writer.writeTaskManagement(tmrType.abortTask, [1]);
      const last = region.command(2);
      region.wake();
      recorder.commands[1].complete(GOOD);
      await turn();
      expect(region.writer.tail).to.equal(SMALL_ENTRY + size);
      expect(region.response(SMALL_ENTRY).op).to.equal(op.taskManagement);
      recorder.commands[0].complete(BUSY);
      expect(region.response(last)).to.include({ id: 1, status: BUSY });
    });

    it('of task management need no listener', () => {
      const region = new TestRegion();
      const ring = new CommandRing(region, { onCommand: complete, onBroken: () => undefined });
      ring.start();
      region.writer.writeTaskManagement(tmrType.abortTask, [1]);
      region.command(1);
      region.wake();
      expect(region.writer.tail).to.equal(region.writer.head);
    });

    for (const unknown of [3, 4, 5, 6, 7]) {
      it(`of op ${unknown} are marked in place and stepped over`, async () => {
        const { ring, region, recorder } = startRing();
        region.command(1);
        region.writer.writeRaw(rawEntry(24, unknown, 77));
        const last = region.command(2);
        region.wake();
        expect(recorder.ids).to.deep.equal([1, 2]);
        recorder.commands[1].complete(BUSY);
        await turn();
        expect(region.response(0)).to.include({ id: 2, status: BUSY });
        expect(region.response(SMALL_ENTRY)).to.include({ op: unknown, id: 77, unknownOp: true });
        expect(region.writer.tail).to.equal(last);
        recorder.commands[0].complete(GOOD);
        expect(region.response(last)).to.include({ id: 1, status: GOOD, unknownOp: false });
        expect(ring.broken).to.equal(undefined);
      });
    }

    it('of an unknown op, header only, are marked where nothing runs', () => {
      const { region } = startRing();
      region.writer.writeRaw(rawEntry(8, 5, 9));
      region.wake();
      expect(region.view.getUint8(region.entryAt(0) + header.userFlags)).to.equal(userFlag.unknownOp);
      expect(region.tails).to.deep.equal([8]);
      expect(region.kicks).to.equal(1);
    });
  });

  describe('pause', () => {
    it('leaves entries on the ring until resume()', () => {
      const { ring, region, recorder } = startRing();
      ring.pause();
      region.command(1);
      region.wake();
      expect(recorder.ids).to.deep.equal([]);
      ring.resume();
      expect(recorder.ids).to.deep.equal([1]);
    });

    it('in the middle of a batch stops there, and publishes what was answered', () => {
      const { ring, region, recorder } = startRing();
      recorder.answer = (command) => {
        command.complete(GOOD);
        if (command.id === 2) ring.pause();
      };
      for (const id of [1, 2, 3, 4]) region.command(id);
      region.wake();
      expect(recorder.ids).to.deep.equal([1, 2]);
      expect(region.tails).to.deep.equal([2 * SMALL_ENTRY]);
      ring.resume();
      expect(recorder.ids).to.deep.equal([1, 2, 3, 4]);
      expect(region.tails).to.deep.equal([2 * SMALL_ENTRY, 4 * SMALL_ENTRY]);
    });

    it('lets what runs be answered', () => {
      const { ring, region, recorder } = startRing();
      region.command(1);
      region.wake();
      ring.pause();
      region.command(2);
      recorder.commands[0].complete(GOOD);
      expect(region.tails).to.deep.equal([SMALL_ENTRY]);
    });

    it('is not ended by resume() where it did not begin, nor after close()', () => {
      const region = new TestRegion();
      const recorder = new Recorder();
      const ring = new CommandRing(region, recorder);
      region.command(1);
      ring.resume();
      ring.close();
      ring.pause();
      ring.resume();
      region.wake();
      expect(recorder.ids).to.deep.equal([]);
    });

    it('whenIdle() resolves when the last command is answered', async () => {
      const { ring, region, recorder } = startRing();
      await ring.whenIdle();
      region.command(1);
      region.command(2);
      region.wake();
      let idle = 0;
      const waits = [ring.whenIdle(), ring.whenIdle()].map((wait) => wait.then(() => idle++));
      recorder.commands[1].complete(GOOD);
      await turn();
      expect(idle).to.equal(0);
      recorder.commands[0].complete(GOOD);
      await Promise.all(waits);
      expect(region.writer.tail).to.equal(region.writer.head);
    });
  });

  describe('close', () => {
    it('publishes what was answered, and nothing after it', async () => {
      const { ring, region, recorder } = startRing();
      for (const id of [1, 2, 3]) region.command(id);
      region.wake();
      recorder.commands[0].complete(GOOD);
      ring.close();
      expect(region.tails).to.deep.equal([SMALL_ENTRY]);
      expect(region.kicks).to.equal(1);

      const before = region.buffer.slice(0);
      recorder.commands[1].complete(GOOD);
      recorder.commands[2].complete(CHECK_CONDITION, new Uint8Array(18).fill(1), 7, true);
      region.command(4);
      region.wake();
      ring.close();
      await turn();
      expect(region.kicks).to.equal(1);
      expect(recorder.ids).to.deep.equal([1, 2, 3]);
      const first = 3 * SMALL_ENTRY;
      expect(new Uint8Array(region.buffer, mailbox.size, first)).to.deep.equal(
        new Uint8Array(before, mailbox.size, first),
      );
      expect(ring.inFlight).to.equal(0);
    });

    it('with nothing answered publishes nothing', () => {
      const { ring, region } = startRing();
      region.command(1);
      region.wake();
      ring.close();
      expect(region.tails).to.deep.equal([]);
    });

    it('while commands run still tells when they are done', async () => {
      const { ring, region, recorder } = startRing();
      region.command(1);
      region.wake();
      ring.close();
      const idle = ring.whenIdle();
      recorder.commands[0].complete(GOOD);
      await idle;
    });

    it('out of a command ends the batch', () => {
      const { ring, region, recorder } = startRing();
      recorder.answer = (command) => {
        command.complete(GOOD);
        ring.close();
      };
      region.command(1);
      region.command(2);
      region.wake();
      expect(recorder.ids).to.deep.equal([1]);
      expect(region.tails).to.deep.equal([SMALL_ENTRY]);
    });
  });

  describe('expire', () => {
    it('answers in the handler’s stead, and tells when the handler is done', () => {
      const { ring, region, recorder } = startRing();
      const at = region.command(1);
      region.wake();
      const [command] = recorder.commands;
      command.expire(CHECK_CONDITION, Uint8Array.of(0x70), true);
      expect(region.response(at)).to.include({ id: 1, status: CHECK_CONDITION, keepBuffer: true });
      expect(region.kicks).to.equal(1);
      expect([ring.inFlight, ring.late]).to.deep.equal([0, 1]);
      expect(command.keptBuffer).to.equal(true);

      command.complete(GOOD);
      command.complete(GOOD);
      expect(recorder.late).to.deep.equal([1]);
      expect([ring.inFlight, ring.late]).to.deep.equal([0, 0]);
      expect(region.kicks).to.equal(1);
    });

    it('keeps the object out of use until the handler is done', () => {
      const { region, recorder } = startRing();
      region.command(1);
      region.wake();
      recorder.commands[0].expire(BUSY);
      region.command(1);
      region.wake();
      expect(recorder.commands[1]).to.not.equal(recorder.commands[0]);
      recorder.commands[0].complete(GOOD);
      recorder.commands[1].complete(GOOD);
      expect(recorder.late).to.deep.equal([1]);
      expect(region.writer.tail).to.equal(region.writer.head);
    });

    it('needs no listener for the end of the handler', () => {
      const region = new TestRegion();
      const commands: RingCommand[] = [];
      const ring = new CommandRing(region, {
        onCommand: (command) => void commands.push(command),
        onBroken: () => undefined,
      });
      ring.start();
      region.command(1);
      region.wake();
      commands[0].expire(BUSY);
      commands[0].complete(GOOD);
      expect(ring.late).to.equal(0);
    });
  });

  it('answers hundreds of commands in the reverse order', async () => {
    const { region, recorder } = startRing(new TestRegion(commandEntrySize(0, 6) * 300));
    for (let id = 65535; id > 65535 - 280; id--) region.command(id);
    region.wake();
    for (const command of [...recorder.commands].reverse()) command.complete(GOOD);
    await turn();
    const answered = Array.from({ length: 280 }, (_, index) => region.response(index * SMALL_ENTRY).id);
    expect(answered).to.deep.equal([...recorder.ids].reverse());
  });
});

/** An entry with nothing behind its header but zeroes. */
function rawEntry(length: number, operation: number, id = 0): Uint8Array {
  const bytes = new Uint8Array(length);
  const view = new DataView(bytes.buffer);
  view.setUint32(header.lengthAndOp, length | operation, true);
  view.setUint16(header.commandId, id, true);
  return bytes;
}
