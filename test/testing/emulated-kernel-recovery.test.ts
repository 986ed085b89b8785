import { expect } from 'chai';
import { decodeSense } from '../../src/scsi/sense-data.js';
import { additionalSense, senseKey } from '../../src/scsi/sense.js';
import { scsiStatus } from '../../src/scsi/status.js';
import { EmulatedKernel } from '../../src/testing/emulated-kernel.js';
import type { PendingCommand } from '../../src/testing/pending-command.js';
import { turn } from '../ring/support.js';
import { connect, ended, ONE_ENTRY, queue, setup, type Setup, statusOf } from './support.js';

describe('recovery of the emulated kernel', () => {
  describe('kept buffers', () => {
    it('stay reserved, with their id, until they are freed', async () => {
      const { kernel, recorder } = setup({ blockSize: 512, dataBlocks: 2 });
      const command = queue(kernel, 1024);
      const waiting = queue(kernel, 512);
      await turn();
      const { id } = recorder.commands[0];
      recorder.commands[0].complete(scsiStatus.good, undefined, undefined, true);
      expect(await statusOf(command)).to.equal(scsiStatus.good);
      expect([kernel.keptBuffers, kernel.unfinished, kernel.freeDataBlocks]).to.deep.equal([[id], 0, 0]);
      expect(kernel.queued).to.equal(1);

      kernel.freeKeptBuffer(id);
      await turn();
      expect(kernel.queued).to.equal(0);
      recorder.commands[1].complete(scsiStatus.good);
      expect(await statusOf(waiting)).to.equal(scsiStatus.good);
    });

    it('are no part of a LUN reset', async () => {
      const { kernel, recorder } = setup({ tmrNotification: true });
      queue(kernel);
      await turn();
      recorder.commands[0].complete(scsiStatus.good, undefined, undefined, true);
      kernel.lunReset();
      await turn();
      expect(recorder.taskManagement.map(({ ids }) => ids)).to.deep.equal([[]]);
    });

    it('that are not there cannot be freed', async () => {
      const { kernel, recorder } = setup();
      queue(kernel);
      await turn();
      for (const id of [recorder.commands[0].id, 4711]) {
        expect(() => kernel.freeKeptBuffer(id))
          .to.throw(/EINVAL/)
          .with.property('code', 'EINVAL');
      }
    });

    it('are freed when the consumer closes; what waited for them goes on', async () => {
      const { kernel, ring, recorder } = setup({ blockSize: 512, dataBlocks: 2 });
      queue(kernel, 1024);
      queue(kernel, 512);
      await turn();
      recorder.commands[0].complete(scsiStatus.good, undefined, undefined, true);
      ring.close();
      kernel.region.close();
      expect([kernel.keptBuffers, kernel.queued, kernel.freeDataBlocks]).to.deep.equal([[], 0, 1]);
    });

    it('cannot be completed again: the ring is broken', async () => {
      const { kernel, recorder } = setup();
      queue(kernel);
      queue(kernel);
      await turn();
      const [first, second] = recorder.commands;
      first.complete(scsiStatus.good, undefined, undefined, true);
      await turn();
      second.id = first.id;
      second.complete(scsiStatus.good);
      expect(kernel.broken).to.equal(true);
    });
  });

  describe('broken ring', () => {
    async function broken(): Promise<Setup & { others: PendingCommand[] }> {
      const all = setup();
      const others = [queue(all.kernel), queue(all.kernel)];
      await turn();
      const [command] = all.recorder.commands;
      command.id = 0x1234;
      command.complete(scsiStatus.good);
      await turn();
      return { ...all, others };
    }

    it('comes of a cmd_id that is none; new commands fail, completions are not taken', async () => {
      const { kernel, recorder, others } = await broken();
      expect(kernel.broken).to.equal(true);
      const response = await ended(queue(kernel));
      expect(response?.status).to.equal(scsiStatus.checkCondition);
      expect(decodeSense(response!.sense)).to.include({
        key: senseKey.notReady,
        code: additionalSense.logicalUnitCommunicationFailure,
      });
      recorder.commands[1].complete(scsiStatus.good);
      expect(await statusOf(others[1])).to.equal(undefined);
    });

    it('keeps commands that wait for room waiting until reset_ring', async () => {
      const { kernel, recorder } = setup(ONE_ENTRY);
      queue(kernel);
      const waiting = queue(kernel);
      await turn();
      recorder.commands[0].id = 0x1234;
      recorder.commands[0].complete(scsiStatus.good);
      kernel.region.kick();
      expect([kernel.broken, kernel.queued, await statusOf(waiting)]).to.deep.equal([true, 1, undefined]);
      kernel.resetRing(2);
      expect([kernel.queued, kernel.entriesOnRing]).to.deep.equal([0, 1]);
    });

    it('is mended by reset_ring, with a consumer that starts anew', async () => {
      const { kernel, ring, others } = await broken();
      kernel.resetRing(1);
      expect(kernel.broken).to.equal(false);
      for (const command of others) expect(await statusOf(command)).to.equal(scsiStatus.busy);
      ring.close();
      kernel.region.close();
      kernel.reopen();
      const { recorder } = connect(kernel);
      const command = queue(kernel);
      await turn();
      recorder.commands[0].complete(scsiStatus.good);
      expect(await statusOf(command)).to.equal(scsiStatus.good);
    });
  });

  describe('reset_ring', () => {
    for (const [level, status] of [
      [1, scsiStatus.busy],
      [2, scsiStatus.checkCondition],
    ] as const) {
      it(`${level} ends what is on the ring, frees what is kept, and leaves an empty ring`, async () => {
        const { kernel, recorder } = setup({ blockSize: 512, dataBlocks: 2 });
        const kept = queue(kernel, 512);
        const running = queue(kernel, 512);
        const waiting = queue(kernel, 1024);
        await turn();
        recorder.commands[0].complete(scsiStatus.good, undefined, undefined, true);
        await turn();
        kernel.resetRing(level);
        expect((await ended(kept))?.status).to.equal(scsiStatus.good);
        expect(await statusOf(running)).to.equal(status);
        // The one that waited has the ring to itself.
        expect(await statusOf(waiting)).to.equal(undefined);
        expect([kernel.keptBuffers, kernel.queued, kernel.unfinished]).to.deep.equal([[], 0, 1]);
        expect([kernel.writer.tail, kernel.entriesOnRing, kernel.freeDataBlocks]).to.deep.equal([0, 1, 0]);
      });
    }

    it('drops task management that waits for room', async () => {
      const { kernel } = setup({ ...ONE_ENTRY, tmrNotification: true });
      const command = queue(kernel);
      for (let count = 0; count < 5; count++) kernel.abortTask(command);
      kernel.resetRing(1);
      expect([kernel.writer.head, kernel.entriesOnRing]).to.deep.equal([0, 0]);
    });
  });

  describe('block_dev', () => {
    it('completes what was finished without a doorbell', async () => {
      const kernel = new EmulatedKernel();
      const command = queue(kernel);
      kernel.region.storeTail(kernel.writer.head);
      expect(await statusOf(command)).to.equal(undefined);
      kernel.blockDevice(true);
      expect(await statusOf(command)).to.equal(scsiStatus.good);
    });

    it('fails waiting and new commands with BUSY, and lets running ones end', async () => {
      const { kernel, recorder } = setup(ONE_ENTRY);
      const [running, waiting] = [queue(kernel), queue(kernel)];
      await turn();
      kernel.blockDevice(true);
      expect(await statusOf(waiting)).to.equal(scsiStatus.busy);
      expect(await statusOf(queue(kernel))).to.equal(scsiStatus.busy);
      recorder.commands[0].complete(scsiStatus.good);
      expect(await statusOf(running)).to.equal(scsiStatus.good);
      kernel.blockDevice(false);
      queue(kernel);
      await turn();
      expect(recorder.ids).to.have.length(2);
    });
  });
});
