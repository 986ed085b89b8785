import { expect } from 'chai';
import fc from 'fast-check';
import * as cdb from '../../../src/scsi/cdb.js';
import { CapableDisk, diskWith, pattern, TestDisk } from '../support/disk.js';
import {
  cut,
  Deferred,
  good,
  readyUnit,
  refused,
  run,
  senseOf,
  submit,
  TestCommand,
} from '../support/unit.js';

const concat = (...parts: Uint8Array[]): Uint8Array => Uint8Array.from(parts.flatMap((part) => [...part]));

describe('COMPARE AND WRITE', () => {
  it('writes where the blocks are as expected', async () => {
    const disk = new TestDisk();
    disk.bytes.set(pattern(1024), 512);
    const data = concat(pattern(1024), pattern(1024, 2));
    await good(readyUnit(disk), cdb.compareAndWrite(1, 2), data);
    expect([...disk.bytes.subarray(512, 1536)]).to.deep.equal([...pattern(1024, 2)]);
    expect(disk.calls).to.deep.equal(['read 512+1024', 'write 512+1024']);
  });

  it('writes nothing where one byte differs, and tells its offset', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: 1023 }), async (at) => {
        const disk = new TestDisk(8);
        const unit = readyUnit(disk);
        const expected = new Uint8Array(1024);
        expected[at] = 1;
        const sense = await refused('e/1d/00', unit, cdb.compareAndWrite(0, 2), concat(expected, expected));
        expect(sense.information).to.equal(at);
        expect(disk.bytes.every((byte) => byte === 0)).to.equal(true);
      }),
      { numRuns: 30 },
    );
  });

  it('leaves it to a disk that can do it by itself', async () => {
    const asked: unknown[] = [];
    let answer = -1;
    const disk = diskWith(new TestDisk(), {
      compareAndWrite(compare, write, offset, context) {
        asked.push([compare[0], write[0], compare.length, write.length, offset, context.fua]);
        return Promise.resolve(answer);
      },
    });
    const unit = readyUnit(disk);
    const data = concat(new Uint8Array(512).fill(1), new Uint8Array(512).fill(2));
    await good(unit, cdb.compareAndWrite(3, 1, { fua: true }), data);
    expect(asked).to.deep.equal([[1, 2, 512, 512, 1536, true]]);
    expect(disk.calls, 'FUA').to.deep.equal(['flush fua']);
    answer = 77;
    expect(await refused('e/1d/00', unit, cdb.compareAndWrite(3, 1), data)).to.include({ information: 77 });
  });

  it('keeps its limits, which VPD page B0h tells', async () => {
    const disk = new TestDisk();
    const unit = readyUnit(disk, { maxCompareAndWriteBlocks: 3 });
    expect((await good(unit, cdb.inquiry(255, 0xb0)))[5]).to.equal(3);
    const { field } = await refused('5/24/00', unit, cdb.compareAndWrite(0, 4), new Uint8Array(4096));
    expect(field).to.include({ byte: 13 });
    await good(unit, cdb.compareAndWrite(0, 3), new Uint8Array(3072));
    await good(unit, cdb.compareAndWrite(0, 0));
    expect((await refused('5/24/00', unit, cdb.compareAndWrite(0, 0), new Uint8Array(512))).field).to.include(
      {
        byte: 13,
      },
    );
    await refused('5/21/00', unit, cdb.compareAndWrite(2048, 1), new Uint8Array(1024));
    for (const length of [0, 512, 1023, 1025, 2048]) {
      await refused('5/0e/03', unit, cdb.compareAndWrite(0, 1), new Uint8Array(length));
    }
    await refused('5/24/00', unit, cdb.compareAndWrite(0, 1).with(1, 0x20), new Uint8Array(1024));
    const readOnly = readyUnit(diskWith(new TestDisk(), { readOnly: true }));
    await refused('7/27/00', readOnly, cdb.compareAndWrite(0, 1), new Uint8Array(1024));
    expect((await good(readyUnit(new TestDisk(8, 65536)), cdb.inquiry(255, 0xb0)))[5]).to.equal(16);
  });

  it('is a lock that only one of many holds', async () => {
    const disk = new TestDisk();
    // Each verb takes its time, so that the others could come in between.
    const turn = async (): Promise<void> => {
      for (let wait = 0; wait < 3; wait++) await Promise.resolve();
    };
    const slow = diskWith(disk, {
      read: async (...args) => (await turn(), TestDisk.prototype.read.apply(disk, args)),
      write: async (...args) => (await turn(), TestDisk.prototype.write.apply(disk, args)),
    });
    const unit = readyUnit(slow);
    const claim = (owner: number): Promise<{ status: number; sense: Uint8Array }> =>
      run(unit, cdb.compareAndWrite(5, 1), concat(new Uint8Array(512), new Uint8Array(512).fill(owner)));
    const results = await Promise.all([1, 2, 3, 4, 5].map(claim));
    expect(results.filter(({ status }) => status === 0)).to.have.length(1);
    const losers = results.filter(({ status }) => status !== 0);
    expect(losers.map(senseOf)).to.deep.equal(new Array(4).fill('e/1d/00'));
  });

  it('keeps writes out between its reading and its writing', async () => {
    const reading = new Deferred();
    const disk = new TestDisk();
    let first = true;
    const unit = readyUnit(
      diskWith(disk, {
        read: (...args) => {
          if (!first) return TestDisk.prototype.read.apply(disk, args);
          first = false;
          return reading.promise;
        },
      }),
    );
    const swap = run(
      unit,
      cdb.compareAndWrite(0, 1),
      concat(new Uint8Array(512), new Uint8Array(512).fill(1)),
    );
    const write = run(unit, cdb.write10(0, 1), new Uint8Array(512).fill(2));
    await Promise.resolve();
    expect(disk.calls).to.deep.equal([]);
    reading.resolve();
    expect((await swap).status).to.equal(0);
    expect((await write).status).to.equal(0);
    expect(disk.bytes[0], 'the later one').to.equal(2);
  });
});

describe('ORWRITE(16)', () => {
  it('sets bits, whatever they were', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.nat(255),
        fc.nat(255),
        fc.integer({ min: 1, max: 4 }),
        async (was, mask, blocks) => {
          const disk = new TestDisk(16);
          disk.bytes.fill(was);
          await good(readyUnit(disk), cdb.orWrite16(2, blocks), new Uint8Array(blocks * 512).fill(mask));
          const expected = new Uint8Array(disk.size).fill(was);
          expected.fill(was | mask, 1024, 1024 + blocks * 512);
          expect(disk.bytes).to.deep.equal(expected);
        },
      ),
      { numRuns: 30 },
    );
  });

  it('checks what a write does', async () => {
    const unit = readyUnit(new TestDisk(100));
    await good(unit, cdb.orWrite16(0, 0));
    await refused('5/21/00', unit, cdb.orWrite16(101, 0));
    await refused('5/21/00', unit, cdb.orWrite16(99, 2), new Uint8Array(1024));
    await refused('5/0e/03', unit, cdb.orWrite16(0, 2), new Uint8Array(512));
    await refused('5/24/00', unit, cdb.orWrite16(0, 1).with(1, 0x20), new Uint8Array(512));
  });

  it('stores the blocks that came where the residual is told', async () => {
    const disk = new TestDisk();
    const command = new TestCommand(cdb.orWrite16(0, 2), { out: [new Uint8Array(512).fill(9)] });
    expect(
      (await submit(readyUnit(disk), Object.assign(command, { reportsResidual: true }))).status,
    ).to.equal(0);
    expect((command as { transferLength?: number }).transferLength).to.equal(1024);
    expect([disk.bytes[511], disk.bytes[512]]).to.deep.equal([9, 0]);
  });
});

describe('WRITE ATOMIC(16)', () => {
  it('is one write, however the data came', async () => {
    const disk = new CapableDisk();
    const data = pattern(2048);
    const command = new TestCommand(cdb.writeAtomic16(3, 4), { out: cut(data, [100, 924, 1024]) });
    expect((await submit(readyUnit(disk), command)).status).to.equal(0);
    expect(disk.calls).to.deep.equal(['write 1536+2048']);
    expect([...disk.bytes.subarray(1536, 3584)]).to.deep.equal([...data]);
  });

  it('keeps the limit of the disk, which VPD page B0h tells', async () => {
    const unit = readyUnit(new CapableDisk());
    const page = Buffer.from(await good(unit, cdb.inquiry(255, 0xb0)));
    expect([44, 48, 52, 56, 60].map((at) => page.readUInt32BE(at))).to.deep.equal([128, 0, 1, 0, 0]);
    await good(unit, cdb.writeAtomic16(0, 128), new Uint8Array(65536));
    const { field } = await refused('5/24/00', unit, cdb.writeAtomic16(0, 129), new Uint8Array(66048));
    expect(field).to.include({ byte: 12 });
    await refused('5/21/00', unit, cdb.writeAtomic16(2000, 300), new Uint8Array(300 * 512));
    expect((await refused('5/24/00', unit, cdb.writeAtomic16(0, 1).with(11, 1))).field).to.include({
      byte: 10,
    });
    await good(unit, cdb.writeAtomic16(2048, 0));
    await refused('5/0e/03', unit, cdb.writeAtomic16(0, 2), new Uint8Array(512));
  });

  it('is not there on a disk that does not promise it', async () => {
    const unit = readyUnit(new TestDisk());
    await refused('5/20/00', unit, cdb.writeAtomic16(0, 1), new Uint8Array(512));
    const page = await good(unit, cdb.inquiry(255, 0xb0));
    expect(page.subarray(44).every((byte) => byte === 0)).to.equal(true);
  });
});
