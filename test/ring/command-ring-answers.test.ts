import { expect } from 'chai';
import { header, mailbox, mailboxFlag, op, response, tmrType, userFlag } from '../../src/ring/abi.js';
import { CommandRing } from '../../src/ring/command-ring.js';
import type { RingCommand } from '../../src/ring/ring-command.js';
import { commandEntrySize, RingWriter } from '../../src/testing/ring-writer.js';
import { rawEntry, SMALL_ENTRY, startRing, TestRegion, turn } from './support.js';

const GOOD = 0x00;
const CHECK_CONDITION = 0x02;
const BUSY = 0x08;

const complete = (command: RingCommand): void => command.complete(GOOD);

/** Offset and length of each segment. */
function runs({ segments }: RingCommand['dataOut']): [number, number][] {
  return segments.map(({ byteOffset, length }) => [byteOffset, length]);
}

describe('answers of a command ring', () => {
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

    it('before an owner that throws is published, and what follows is fetched at the next wake-up', () => {
      const { region, recorder } = startRing();
      recorder.answer = (command) => {
        if (command.id === 2) throw new Error('a fault of the owner');
        command.complete(GOOD);
      };
      for (const id of [1, 2, 3]) region.command(id);
      expect(() => region.wake()).to.throw('a fault of the owner');
      expect(region.tails).to.deep.equal([SMALL_ENTRY]);
      region.wake();
      expect(recorder.ids).to.deep.equal([1, 2, 3]);
      recorder.commands[1].complete(GOOD);
      expect(region.writer.tail).to.equal(region.writer.head);
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

  it('answers hundreds of commands in the reverse order', async () => {
    const { region, recorder } = startRing(new TestRegion(commandEntrySize(0, 6) * 300));
    for (let id = 65535; id > 65535 - 280; id--) region.command(id);
    region.wake();
    while (recorder.commands.length < 280) await turn();
    for (const command of [...recorder.commands].reverse()) command.complete(GOOD);
    await turn();
    const answered = Array.from({ length: 280 }, (_, index) => region.response(index * SMALL_ENTRY).id);
    expect(answered).to.deep.equal([...recorder.ids].reverse());
  });
});
