import { expect } from 'chai';
import { mailbox } from '../../src/ring/abi.js';
import { CommandRing } from '../../src/ring/command-ring.js';
import type { RingCommand } from '../../src/ring/ring-command.js';
import { Recorder, SMALL_ENTRY, startRing, TestRegion, turn } from './support.js';

const GOOD = 0x00;
const CHECK_CONDITION = 0x02;
const BUSY = 0x08;

describe('life of a command ring', () => {
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
});
