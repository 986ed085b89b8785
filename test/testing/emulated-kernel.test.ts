import { expect } from 'chai';
import { header, mailbox, OP_MASK } from '../../src/ring/abi.js';
import type { RingCommand } from '../../src/ring/ring-command.js';
import { decodeSense, encodeSense } from '../../src/scsi/sense-data.js';
import { additionalSense, senseKey } from '../../src/scsi/sense.js';
import { scsiStatus } from '../../src/scsi/status.js';
import { EmulatedKernel } from '../../src/testing/emulated-kernel.js';
import type { TransportResponse } from '../../src/testing/transport.js';
import { sixByteCdb, turn } from '../ring/support.js';
import { connect, ended, queue, setup, statusOf } from './support.js';

describe('emulated kernel', () => {
  describe('commands', () => {
    it('wake the consumer in a later turn, once for several', async () => {
      const kernel = new EmulatedKernel();
      let wakeUps = 0;
      kernel.region.onCommand(() => wakeUps++);
      queue(kernel);
      queue(kernel);
      expect(wakeUps).to.equal(0);
      await turn();
      expect(wakeUps).to.equal(1);
      queue(kernel);
      await turn();
      expect(wakeUps).to.equal(2);
    });

    it('that came before anybody listened wake the one who does', async () => {
      const kernel = new EmulatedKernel();
      queue(kernel);
      let wakeUps = 0;
      kernel.region.onCommand(() => wakeUps++);
      await turn();
      expect(wakeUps).to.equal(1);
    });

    it('carry Data-Out over, and Data-In back', async () => {
      const { kernel, recorder } = setup({ blockSize: 512, fragmented: true });
      const dataOut = Uint8Array.from({ length: 1300 }, (_, index) => index);
      const out = kernel.queue({ cdb: sixByteCdb, dataOut });
      const both = kernel.queue({
        cdb: sixByteCdb,
        dataOut: dataOut.subarray(0, 600),
        dataInLength: 1025,
        bidirectional: true,
      });
      await turn();
      const [first, second] = recorder.commands;
      expect(first.dataOut.segments.map(({ length }) => length)).to.deep.equal([512, 512, 276]);
      expect(new Uint8Array(Buffer.concat(first.dataOut.segments))).to.deep.equal(dataOut);
      expect(second.dataOut.byteLength).to.equal(600);
      for (const segment of second.dataIn.segments) segment.fill(0x5a);
      second.complete(scsiStatus.good);
      first.complete(scsiStatus.good);
      expect((await both.done).dataIn).to.deep.equal(new Uint8Array(1025).fill(0x5a));
      expect((await out.done).dataIn).to.have.length(0);
      expect(kernel.freeDataBlocks).to.equal(4096);
    });

    it('get data blocks as the last command left them', async () => {
      const { kernel, recorder } = setup();
      void kernel.queue({ cdb: sixByteCdb, dataOut: new Uint8Array(512).fill(0xaa) });
      await turn();
      recorder.commands[0].complete(scsiStatus.good);
      const read = queue(kernel, 512);
      await turn();
      recorder.commands[1].complete(scsiStatus.good);
      expect((await read.done).dataIn).to.deep.equal(new Uint8Array(512).fill(0xaa));
    });

    it('that fit no empty ring or data area end with INVALID FIELD IN CDB', async () => {
      const { kernel } = setup({ ringSize: 512, blockSize: 512, dataBlocks: 4 });
      for (const command of [
        queue(kernel, 4 * 512 + 1),
        kernel.queue({ cdb: new Uint8Array(200), dataInLength: 0 }),
      ]) {
        const response = await ended(command);
        expect(response?.status).to.equal(scsiStatus.checkCondition);
        expect(decodeSense(response!.sense)).to.include({
          key: senseKey.illegalRequest,
          code: additionalSense.invalidFieldInCdb,
        });
      }
      expect(await ended(queue(kernel, 4 * 512))).to.equal(undefined);
    });
  });

  describe('responses', () => {
    async function respond(
      answer: (command: RingCommand) => void,
      request: { dataOut?: Uint8Array; dataInLength?: number; bidirectional?: boolean },
    ): Promise<TransportResponse> {
      const { kernel, recorder } = setup();
      const command = kernel.queue({ cdb: sixByteCdb, ...request });
      await turn();
      for (const segment of recorder.commands[0].dataIn.segments) segment.fill(1);
      answer(recorder.commands[0]);
      return command.done;
    }
    const { good, checkCondition, busy } = scsiStatus;
    const sense = encodeSense(senseKey.mediumError, additionalSense.unrecoveredReadError);

    it('carry sense with CHECK CONDITION, and no data', async () => {
      const response = await respond((command) => command.complete(checkCondition, sense), {
        dataInLength: 64,
      });
      expect(decodeSense(response.sense)?.key).to.equal(senseKey.mediumError);
      expect(response.dataIn).to.have.length(0);
    });

    it('carry no sense with another status', async () => {
      const response = await respond((command) => command.complete(busy, sense), {});
      expect([response.status, response.sense.length]).to.deep.equal([busy, 0]);
    });

    it('with READ_LEN carry that much, with CHECK CONDITION too', async () => {
      const request = { dataInLength: 64 };
      expect(
        (await respond((command) => command.complete(good, undefined, 36), request)).dataIn,
      ).to.have.length(36);
      expect(
        (await respond((command) => command.complete(checkCondition, sense, 36), request)).dataIn,
      ).to.have.length(36);
    });

    it('with READ_LEN of 0, or more than was asked for, carry all that was asked for', async () => {
      for (const length of [0, 65]) {
        const response = await respond((command) => command.complete(good, undefined, length), {
          dataInLength: 64,
        });
        expect(response.dataIn).to.have.length(64);
      }
    });

    it('to writes and bidirectional commands pay no heed to READ_LEN', async () => {
      const dataOut = new Uint8Array(64);
      const answer = (command: RingCommand): void => command.complete(good, undefined, 7);
      expect((await respond(answer, { dataOut })).dataIn).to.have.length(0);
      const response = await respond(answer, { dataOut, dataInLength: 32, bidirectional: true });
      expect(response.dataIn).to.have.length(32);
    });

    it('that do not know the op are CHECK CONDITION without sense', async () => {
      const { kernel } = setup();
      const command = queue(kernel, 8);
      const view = new DataView(kernel.memory);
      const word = view.getUint32(mailbox.size + header.lengthAndOp, true);
      view.setUint32(mailbox.size + header.lengthAndOp, (word & ~OP_MASK) | 6, true);
      const response = await ended(command);
      expect(response?.status).to.equal(scsiStatus.checkCondition);
      expect(response?.sense).to.have.length(0);
      expect([kernel.broken, kernel.unfinished, kernel.entriesOnRing]).to.deep.equal([false, 0, 0]);
    });
  });

  describe('open and close', () => {
    it('refuses a second open with EBUSY', () => {
      const kernel = new EmulatedKernel();
      expect(() => kernel.reopen())
        .to.throw(/EBUSY/)
        .with.property('code', 'EBUSY');
      kernel.region.close();
      kernel.region.close();
      expect(kernel.reopen()).to.equal(kernel.region);
    });

    it('detaches the views of a region that is closed, and refuses its use', async () => {
      const { kernel, recorder } = setup();
      const { region } = kernel;
      void kernel.queue({ cdb: sixByteCdb, dataOut: new Uint8Array(512).fill(7) });
      await turn();
      const [segment] = recorder.commands[0].dataOut.segments;
      region.close();
      expect([segment.length, region.buffer.byteLength]).to.deep.equal([0, 0]);
      for (const use of [
        () => region.loadHead(),
        () => region.storeTail(0),
        () => region.kick(),
        () => region.onCommand(() => undefined),
      ]) {
        expect(use).to.throw('the region is closed');
      }
    });

    it('wakes no consumer that closed', async () => {
      const { kernel, recorder } = setup();
      kernel.region.close();
      const command = queue(kernel);
      expect(await statusOf(command)).to.equal(undefined);
      expect(recorder.ids).to.deep.equal([]);
    });

    it('gives ring and data as they were to the next one', async () => {
      const { kernel, ring } = setup();
      const command = kernel.queue({ cdb: sixByteCdb, dataOut: new Uint8Array(512).fill(7) });
      await turn();
      ring.close();
      kernel.region.close();
      kernel.reopen();
      const { recorder } = connect(kernel);
      expect(recorder.commands[0].dataOut.segments).to.deep.equal([new Uint8Array(512).fill(7)]);
      recorder.commands[0].complete(scsiStatus.good);
      expect(await statusOf(command)).to.equal(scsiStatus.good);
    });

    it('wakes the next one for what waits', async () => {
      const kernel = new EmulatedKernel();
      kernel.region.close();
      queue(kernel);
      let wakeUps = 0;
      kernel.reopen().onCommand(() => wakeUps++);
      await turn();
      expect(wakeUps).to.equal(1);
    });

    it('tells the consumer that the device was removed, once', async () => {
      const { kernel, recorder } = setup();
      queue(kernel);
      await turn();
      kernel.removeDevice();
      expect(recorder.broken.map(({ code }) => code)).to.deep.equal(['REGION_FAILED']);
      expect(await statusOf(queue(kernel))).to.equal(scsiStatus.busy);
      recorder.commands[0].complete(scsiStatus.good);
      await turn();
      expect(recorder.broken).to.have.length(1);
    });
  });

  it('uses every id before one comes again, and none that is in use', async () => {
    const { kernel, recorder } = setup({ ringSize: 1 << 20 });
    queue(kernel);
    await turn();
    const seen = new Set<number>();
    recorder.answer = (command) => {
      seen.add(command.id);
      command.complete(scsiStatus.good);
    };
    for (let count = 0; count < 0xffff; count++) {
      queue(kernel);
      if (count % 4096 === 0) await turn();
    }
    while (kernel.unfinished > 1) await turn();
    expect(seen.has(recorder.ids[0])).to.equal(false);
    expect(seen.size).to.equal(0xffff - 1);
    expect(recorder.broken).to.deep.equal([]);
  });

  it('puts entries on the ring as a test gives them', async () => {
    const { kernel, recorder } = setup();
    kernel.injectEntry(Uint8Array.of(8 | 1, 0, 0, 0, 1, 0, 0, 0));
    await turn();
    expect(recorder.broken.map(({ code }) => code)).to.deep.equal(['BAD_ENTRY']);
  });
});
