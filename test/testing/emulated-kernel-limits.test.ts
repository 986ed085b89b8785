import { expect } from 'chai';
import sinon from 'sinon';
import { tmrType } from '../../src/ring/abi.js';
import { scsiStatus } from '../../src/scsi/status.js';
import { turn } from '../ring/support.js';
import { ended, ids, ONE_ENTRY, queue, setup, statusOf } from './support.js';

describe('limits of the emulated kernel', () => {
  let clock: sinon.SinonFakeTimers;

  beforeEach(() => {
    clock = sinon.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  });
  afterEach(() => clock.restore());

  describe('full queue', () => {
    it('holds commands until there is room on the ring, in order', async () => {
      const { kernel, recorder } = setup(ONE_ENTRY);
      const pending = [queue(kernel), queue(kernel), queue(kernel)];
      await turn();
      expect([recorder.ids.length, kernel.queued]).to.deep.equal([1, 2]);
      for (let index = 0; index < 3; index++) {
        await turn();
        recorder.commands[index].complete(scsiStatus.good);
        expect(await statusOf(pending[index])).to.equal(scsiStatus.good);
      }
      expect(recorder.ids).to.have.length(3);
      expect(kernel.queued).to.equal(0);
    });

    it('holds commands until there is room in the data area; later ones wait behind them', async () => {
      const { kernel, recorder } = setup({ blockSize: 512, dataBlocks: 4 });
      queue(kernel, 3 * 512);
      queue(kernel, 2 * 512);
      queue(kernel, 0);
      await turn();
      expect([recorder.ids.length, kernel.queued]).to.deep.equal([1, 2]);
      recorder.commands[0].complete(scsiStatus.good);
      await turn();
      expect([recorder.ids.length, kernel.queued]).to.deep.equal([3, 0]);
    });

    it('ends with TASK SET FULL after qfull_time_out', async () => {
      const { kernel, recorder } = setup({ ...ONE_ENTRY, queueFullTimeout: 5000 });
      const [first, second] = [queue(kernel), queue(kernel)];
      await turn();
      clock.tick(4990);
      const third = queue(kernel);
      clock.tick(20);
      expect(await statusOf(second)).to.equal(scsiStatus.taskSetFull);
      expect(await statusOf(third)).to.equal(undefined);
      clock.tick(5000);
      expect(await statusOf(third)).to.equal(scsiStatus.taskSetFull);
      recorder.commands[0].complete(scsiStatus.good);
      expect(await statusOf(first)).to.equal(scsiStatus.good);
    });

    it('lasts as long as cmd_time_out where qfull_time_out is not set, and 30 s where neither is', async () => {
      for (const [commandTimeout, after] of [
        [2000, 2000],
        [0, 30_000],
      ]) {
        const { kernel } = setup({ ...ONE_ENTRY, commandTimeout });
        queue(kernel);
        const waiting = queue(kernel);
        clock.tick(after - 10);
        expect(await statusOf(waiting)).to.equal(undefined);
        clock.tick(20);
        expect(await statusOf(waiting)).to.equal(scsiStatus.taskSetFull);
      }
    });

    it('fails at once with TASK SET FULL where qfull_time_out is 0', async () => {
      const { kernel } = setup({ ...ONE_ENTRY, queueFullTimeout: 0 });
      queue(kernel);
      expect(await statusOf(queue(kernel))).to.equal(scsiStatus.taskSetFull);
      expect(kernel.queued).to.equal(0);
    });
  });

  describe('cmd_time_out', () => {
    it('answers the initiator; the slot is free when the consumer completes', async () => {
      const { kernel, ring, recorder } = setup({ blockSize: 512, dataBlocks: 4, commandTimeout: 1000 });
      const command = queue(kernel, 4 * 512);
      await turn();
      clock.tick(1010);
      const response = await ended(command);
      expect(response?.status).to.equal(scsiStatus.checkCondition);
      expect(clock.countTimers()).to.equal(0);
      expect([kernel.unfinished, kernel.freeDataBlocks, kernel.entriesOnRing]).to.deep.equal([1, 0, 1]);
      expect(ring.inFlight).to.equal(1);

      recorder.commands[0].complete(scsiStatus.good);
      expect([kernel.unfinished, kernel.freeDataBlocks, kernel.entriesOnRing]).to.deep.equal([0, 4, 0]);
      expect((await command.done).status).to.equal(scsiStatus.checkCondition);
      expect(kernel.broken).to.equal(false);
    });

    it('counts for each command by itself', async () => {
      const { kernel } = setup({ commandTimeout: 1000 });
      const first = queue(kernel);
      clock.tick(600);
      const second = queue(kernel);
      clock.tick(500);
      expect(await statusOf(first)).to.equal(scsiStatus.checkCondition);
      expect(await statusOf(second)).to.equal(undefined);
      clock.tick(600);
      expect(await statusOf(second)).to.equal(scsiStatus.checkCondition);
    });

    it('of 0 never comes', async () => {
      const { kernel } = setup({ commandTimeout: 0 });
      const command = queue(kernel);
      clock.tick(10_000_000);
      expect(await statusOf(command)).to.equal(undefined);
      expect(clock.countTimers()).to.equal(0);
    });

    it('of 0 never comes to a command that had waited for room either', async () => {
      const { kernel, recorder } = setup({ ...ONE_ENTRY, commandTimeout: 0, queueFullTimeout: 500 });
      queue(kernel);
      const second = queue(kernel);
      const third = queue(kernel);
      await turn();
      recorder.commands[0].complete(scsiStatus.good);
      clock.tick(600);
      expect(await statusOf(third)).to.equal(scsiStatus.taskSetFull);
      expect(await statusOf(second)).to.equal(undefined);
    });

    it('leaves no timer where nothing waits', async () => {
      const { kernel, recorder } = setup();
      queue(kernel);
      expect(clock.countTimers()).to.equal(1);
      await turn();
      recorder.commands[0].complete(scsiStatus.good);
      expect(clock.countTimers()).to.equal(0);
    });

    it('is forgotten by a buffer that is kept past it', async () => {
      const { kernel, recorder } = setup({ commandTimeout: 1000 });
      queue(kernel, 512);
      await turn();
      clock.tick(1010);
      recorder.commands[0].complete(scsiStatus.good, undefined, undefined, true);
      expect(kernel.keptBuffers).to.deep.equal(ids(recorder.commands));
      kernel.freeKeptBuffer(recorder.commands[0].id);
      expect(kernel.freeDataBlocks).to.equal(4096);
    });
  });

  describe('task management', () => {
    it('ends queued commands with TASK ABORTED, and running ones when they are completed', async () => {
      const { kernel, recorder } = setup(ONE_ENTRY);
      const [running, waiting] = [queue(kernel), queue(kernel)];
      await turn();
      kernel.abortTask(waiting);
      kernel.abortTask(running);
      expect(await statusOf(waiting)).to.equal(scsiStatus.taskAborted);
      expect(await statusOf(running)).to.equal(undefined);
      expect([kernel.queued, kernel.unfinished]).to.deep.equal([0, 1]);
      recorder.commands[0].complete(scsiStatus.good);
      expect(await statusOf(running)).to.equal(scsiStatus.taskAborted);
    });

    it('is not told to a consumer that did not ask for it', async () => {
      const { kernel, recorder } = setup();
      const command = queue(kernel);
      kernel.abortTask(command);
      kernel.lunReset();
      await turn();
      expect(recorder.taskManagement).to.deep.equal([]);
    });

    it('is told with the ids it means, those of expired commands left out', async () => {
      const { kernel, recorder } = setup({ tmrNotification: true, commandTimeout: 1000 });
      queue(kernel);
      await turn();
      clock.tick(1010);
      const second = queue(kernel);
      queue(kernel);
      kernel.abortTask(second);
      kernel.lunReset();
      await turn();
      const [, b, c] = ids(recorder.commands);
      expect(recorder.taskManagement).to.deep.equal([
        { type: tmrType.abortTask, ids: [b] },
        { type: tmrType.lunReset, ids: [b, c] },
      ]);
      recorder.commands.forEach((command) => command.complete(scsiStatus.good));
      expect(kernel.entriesOnRing).to.equal(0);
    });

    it('waits for room, and comes before commands that wait for it', async () => {
      const { kernel, recorder } = setup({ ...ONE_ENTRY, tmrNotification: true });
      const [first] = [queue(kernel), queue(kernel)];
      await turn();
      // Leaves the ring no room: what is behind the entry at its start is taken up by a PAD and this.
      while (kernel.writer.hasRoom(40, 0)) kernel.abortTask(first);
      kernel.abortTask(first);
      await turn();
      const told = recorder.taskManagement.length;
      recorder.commands[0].complete(scsiStatus.good);
      await turn();
      expect(recorder.taskManagement).to.have.length(told + 1);
      expect(recorder.ids).to.have.length(2);
    });
  });
});
