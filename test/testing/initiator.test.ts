import { expect } from 'chai';
import { Device } from '../../src/device/device.js';
import type { Disk } from '../../src/handlers/contract.js';
import { encodeSense } from '../../src/scsi/sense-data.js';
import { additionalSense, senseKey } from '../../src/scsi/sense.js';
import { scsiStatus } from '../../src/scsi/status.js';
import { EmulatedKernel } from '../../src/testing/emulated-kernel.js';
import { Initiator } from '../../src/testing/initiator.js';
import { ScsiError } from '../../src/testing/scsi-error.js';
import type { Transport, TransportRequest, TransportResponse } from '../../src/testing/transport.js';

const BLOCK = 512;
const BLOCKS = 64;

/** An array of bytes with every verb an initiator's methods lead to. */
class ArrayDisk implements Disk {
  bytes = new Uint8Array(BLOCKS * BLOCK);
  readonly physicalBlockSize = 4096;
  readonly calls: string[] = [];
  readonly nativeFua = true;

  get size(): number {
    return this.bytes.length;
  }

  read(buffer: Uint8Array, offset: number): void {
    buffer.set(this.bytes.subarray(offset, offset + buffer.length));
  }

  write(buffer: Uint8Array, offset: number, { fua }: { fua: boolean }): void {
    if (fua) this.calls.push('write fua');
    this.bytes.set(buffer, offset);
  }

  flush(): void {
    this.calls.push('flush');
  }

  unmap(offset: number, length: number): void {
    this.calls.push(`unmap ${offset} ${length}`);
    this.bytes.fill(0, offset, offset + length);
  }

  resize(size: number): void {
    this.bytes = new Uint8Array(size);
  }
}

/** Answers from a list, and remembers what it was sent. */
class ScriptedTransport implements Transport {
  readonly sent: TransportRequest[] = [];

  constructor(readonly answers: TransportResponse[]) {}

  send(request: TransportRequest): Promise<TransportResponse> {
    this.sent.push(request);
    return Promise.resolve(this.answers.length > 1 ? this.answers.shift()! : this.answers[0]);
  }
}

const nothing = new Uint8Array();
const good: TransportResponse = { status: scsiStatus.good, sense: nothing, dataIn: Uint8Array.of(1, 2) };
const checkCondition = (key: number, code: number): TransportResponse => ({
  status: scsiStatus.checkCondition,
  sense: encodeSense(key, code),
  dataIn: nothing,
});
const attention = checkCondition(senseKey.unitAttention, additionalSense.powerOnOccurred);

async function failure(promise: Promise<unknown>): Promise<ScsiError> {
  try {
    await promise;
  } catch (error) {
    expect(error).to.be.instanceOf(ScsiError);
    return error as ScsiError;
  }
  throw new Error('the command ended with GOOD');
}

describe('initiator', () => {
  describe('of a device behind the emulated kernel', () => {
    let kernel: EmulatedKernel;
    let device: Device;
    let disk: ArrayDisk;
    let initiator: Initiator;

    beforeEach(() => {
      kernel = new EmulatedKernel({ fragmented: true, blockSize: 1024 });
      disk = new ArrayDisk();
      const log = { debug: quiet, info: quiet, warn: quiet, error: quiet };
      const unit = { vendor: 'ACME', product: 'ARRAY', revision: '42', serial: 'one-of-a-kind' };
      device = new Device({ name: 'user_0/array', region: kernel.region, disk, log, unit });
      device.start();
      initiator = new Initiator(kernel);
    });
    afterEach(() => device.close());

    it('asks who it is', async () => {
      await initiator.testUnitReady();
      expect(await initiator.inquiry()).to.deep.equal({
        vendor: 'ACME',
        product: 'ARRAY',
        revision: '42',
        deviceType: 0,
      });
      expect(await initiator.serialNumber()).to.equal('one-of-a-kind');
      const pages = await initiator.vpd(0);
      expect(pages[1]).to.equal(0);
      expect([...pages.subarray(4)]).to.include(0x80);
    });

    it('asks how large it is', async () => {
      expect(await initiator.readCapacity()).to.deep.equal({
        blocks: BLOCKS,
        blockSize: BLOCK,
        physicalBlockSize: 4096,
        thin: true,
      });
    });

    it('reads what it wrote', async () => {
      const data = Uint8Array.from({ length: 5 * BLOCK }, (_, index) => index * 3);
      await initiator.write(7, data);
      expect(disk.bytes.subarray(7 * BLOCK, 12 * BLOCK)).to.deep.equal(data);
      expect(await initiator.read(8, 3)).to.deep.equal(data.subarray(BLOCK, 4 * BLOCK));
      expect(disk.calls).to.deep.equal([]);
    });

    it('writes through the cache with FUA, and flushes it', async () => {
      await initiator.write(0, new Uint8Array(BLOCK), { fua: true });
      await initiator.flush();
      expect(disk.calls).to.deep.equal(['write fua', 'flush']);
    });

    it('unmaps ranges', async () => {
      disk.bytes.fill(9);
      await initiator.unmap([
        { lba: 1, blocks: 2 },
        { lba: 10, blocks: 1 },
      ]);
      expect(disk.calls).to.have.members([`unmap ${BLOCK} ${2 * BLOCK}`, `unmap ${10 * BLOCK} ${BLOCK}`]);
      expect((await initiator.read(0, 4)).filter((byte) => byte === 9)).to.have.length(2 * BLOCK);
    });

    it('writes one block many times, and zeroes without one', async () => {
      const block = new Uint8Array(BLOCK).fill(0x77);
      await initiator.writeSame(2, 4, block);
      expect(disk.bytes.subarray(2 * BLOCK, 6 * BLOCK).every((byte) => byte === 0x77)).to.equal(true);
      await initiator.writeSame(3, 1);
      expect(disk.bytes.subarray(3 * BLOCK, 4 * BLOCK)).to.deep.equal(new Uint8Array(BLOCK));
      await initiator.writeSame(4, 1, undefined, true);
      expect(disk.calls).to.include(`unmap ${4 * BLOCK} ${BLOCK}`);
      expect(disk.bytes[5 * BLOCK]).to.equal(0x77);
    });

    it('throws what a command ended with, its sense decoded', async () => {
      const error = await failure(initiator.read(BLOCKS, 1));
      expect(error.status).to.equal(scsiStatus.checkCondition);
      expect(error.sense).to.include({ key: senseKey.illegalRequest, code: additionalSense.lbaOutOfRange });
      expect(error.cdb[0]).to.equal(0x88);
      expect(error.message).to.match(
        /command 88h ended with illegal request, lba out of range \(5\/21\/00\)/,
      );
    });

    it('learns of a new capacity by a unit attention, and sends the command again', async () => {
      await initiator.readCapacity();
      await device.resize(2 * BLOCKS * BLOCK);
      await initiator.write(BLOCKS, new Uint8Array(BLOCK).fill(5));
      expect(disk.bytes[BLOCKS * BLOCK]).to.equal(5);
      expect((await initiator.readCapacity()).blocks).to.equal(2 * BLOCKS);
    });

    it('has many commands under way at once', async () => {
      await Promise.all(
        Array.from({ length: BLOCKS }, (_, lba) => initiator.write(lba, new Uint8Array(BLOCK).fill(lba))),
      );
      const blocks = await Promise.all(Array.from({ length: BLOCKS }, (_, lba) => initiator.read(lba, 1)));
      blocks.forEach((block, lba) => expect(block).to.deep.equal(new Uint8Array(BLOCK).fill(lba)));
      expect([kernel.unfinished, kernel.freeDataBlocks]).to.deep.equal([0, 4096]);
    });
  });

  describe('raw()', () => {
    const command = Uint8Array.of(0xc1, 0, 0, 0, 0, 0);

    it('sends the command as given and returns Data-In', async () => {
      const transport = new ScriptedTransport([good]);
      const dataOut = Uint8Array.of(9);
      expect(await new Initiator(transport).raw(command, { dataOut, dataInLength: 4 })).to.deep.equal(
        good.dataIn,
      );
      expect(transport.sent).to.deep.equal([{ cdb: command, dataOut, dataInLength: 4 }]);
    });

    it('sends it again after a unit attention', async () => {
      const transport = new ScriptedTransport([attention, attention, good]);
      expect(await new Initiator(transport).raw(command)).to.deep.equal(good.dataIn);
      expect(transport.sent).to.have.length(3);
    });

    it('gives up where unit attentions never end', async () => {
      const transport = new ScriptedTransport([attention]);
      const error = await failure(new Initiator(transport).raw(command));
      expect(error.sense?.key).to.equal(senseKey.unitAttention);
      expect(transport.sent).to.have.length(4);
    });

    it('sends nothing again after another failure', async () => {
      const aborted = checkCondition(senseKey.abortedCommand, additionalSense.none);
      const transport = new ScriptedTransport([aborted, good]);
      await failure(new Initiator(transport).raw(command));
      expect(transport.sent).to.have.length(1);
    });

    it('asks for the block size again after a unit attention', async () => {
      const capacity = new Uint8Array(32);
      capacity[10] = 2;
      const answer = { ...good, dataIn: capacity };
      const transport = new ScriptedTransport([answer, attention, answer, answer, answer]);
      const initiator = new Initiator(transport);
      await initiator.read(0, 1);
      await initiator.read(0, 1);
      expect(transport.sent.map(({ cdb }) => cdb[0])).to.deep.equal([0x9e, 0x88, 0x88, 0x9e, 0x88]);
    });
  });

  describe('ScsiError', () => {
    it('names a status that comes without sense data', () => {
      const error = new ScsiError(Uint8Array.of(0x2a), scsiStatus.taskSetFull, nothing);
      expect(error.message).to.equal('command 2ah ended with status 28h');
      expect(error.sense).to.equal(undefined);
    });

    it('takes CHECK CONDITION without usable sense data', () => {
      const error = new ScsiError(Uint8Array.of(0), scsiStatus.checkCondition, new Uint8Array(96));
      expect(error.message).to.equal('command 00h ended with status 02h');
      expect(error.sense).to.equal(undefined);
    });
  });
});

function quiet(): void {
  return undefined;
}
