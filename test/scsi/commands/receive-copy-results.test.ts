import { expect } from 'chai';
import * as cdb from '../../../src/scsi/cdb.js';
import { copyLimits } from '../../../src/scsi/copy-limits.js';
import { decodeSense } from '../../../src/scsi/sense-data.js';
import { decodeTokenInformation, extendedCopy, populate, targetsOf, unitsOf } from '../support/copy.js';
import { diskWith, TestDisk } from '../support/disk.js';
import { Deferred, good, refused } from '../support/unit.js';

const segment = { source: 0, destination: 0, blocks: 8, sourceLba: 0, destinationLba: 8 };

function bytes(...values: number[]): Uint8Array {
  return Uint8Array.from(values);
}

describe('RECEIVE COPY STATUS(LID1)', () => {
  it('knows no operation before there was one', async () => {
    const [unit] = unitsOf([new TestDisk()]);
    const { field } = await refused('5/24/00', unit, cdb.receiveCopyStatusLid1(1));
    expect(field).to.deep.equal({ inCdb: true, byte: 2 });
  });

  it('tells of a copy that ended, once, to the nexus that asked for it', async () => {
    const [unit] = unitsOf([new TestDisk()]);
    await extendedCopy(unit, { listId: 7, targets: targetsOf(unit), segments: [segment, segment] });
    const other = { name: 'other' };
    unit.attentions.take(other);
    await refused('5/24/00', unit, cdb.receiveCopyStatusLid1(7), undefined, { nexus: other });
    await refused('5/24/00', unit, cdb.receiveCopyStatusLid1(8));
    const data = await good(unit, cdb.receiveCopyStatusLid1(7));
    expect(data).to.deep.equal(bytes(0, 0, 0, 8, 0x01, 0, 2, 0x01, 0, 0, 0, 8));
    await refused('5/24/00', unit, cdb.receiveCopyStatusLid1(7));
  });

  it('tells of one that runs', async () => {
    const [started, go] = [new Deferred(), new Deferred()];
    const slow = diskWith(new TestDisk(), {
      read() {
        started.resolve();
        return go.promise;
      },
    });
    const [unit] = unitsOf([slow]);
    const ended = extendedCopy(unit, { listId: 1, targets: targetsOf(unit), segments: [segment] });
    await started.promise;
    const data = await good(unit, cdb.receiveCopyStatusLid1(1));
    expect(data).to.deep.equal(bytes(0, 0, 0, 8, 0x00, 0, 1, 0x01, 0, 0, 0, 0));
    await refused('5/24/00', unit, cdb.receiveCopyDataLid1(1, 100));
    await refused('5/24/00', unit, cdb.receiveCopyFailureDetailsLid1(1, 100));
    go.resolve();
    await ended;
    expect((await good(unit, cdb.receiveCopyStatusLid1(1)))[4]).to.equal(0x01);
  });

  it('forgets at a reset of the unit', async () => {
    const [unit] = unitsOf([new TestDisk()]);
    await extendedCopy(unit, { listId: 1, targets: targetsOf(unit), segments: [segment] });
    unit.copy.reset();
    await refused('5/24/00', unit, cdb.receiveCopyStatusLid1(1));
  });

  it('remembers as many operations as are promised, the latest', async () => {
    const [unit] = unitsOf([new TestDisk()]);
    for (let listId = 0; listId < 70; listId++) {
      await extendedCopy(unit, { listId, targets: [], segments: [] });
    }
    await refused('5/24/00', unit, cdb.receiveCopyStatusLid1(5));
    await good(unit, cdb.receiveCopyStatusLid1(6));
  });
});

describe('RECEIVE COPY DATA(LID1)', () => {
  it('has none', async () => {
    const [unit] = unitsOf([new TestDisk()]);
    await extendedCopy(unit, { listId: 1, targets: targetsOf(unit), segments: [segment] });
    expect(await good(unit, cdb.receiveCopyDataLid1(1, 100))).to.deep.equal(new Uint8Array(4));
    await refused('5/24/00', unit, cdb.receiveCopyDataLid1(2, 100));
  });
});

describe('RECEIVE COPY FAILURE DETAILS(LID1)', () => {
  it('gives the sense data of the failed copy', async () => {
    const [unit] = unitsOf([new TestDisk(64)]);
    const segments = [segment, { ...segment, sourceLba: 60 }];
    const { sense } = await extendedCopy(unit, { listId: 1, targets: targetsOf(unit), segments });
    expect((await good(unit, cdb.receiveCopyStatusLid1(1)))[4]).to.equal(0x02);
    const data = await good(unit, cdb.receiveCopyFailureDetailsLid1(1, 1000));
    expect(data.subarray(0, 4)).to.deep.equal(bytes(0, 0, 0, 56 + sense.length));
    expect(data.subarray(56, 60)).to.deep.equal(bytes(0x02, 0, 0, sense.length));
    expect(data.subarray(60)).to.deep.equal(sense);
    expect(decodeSense(data.subarray(60))?.key).to.equal(0x0a);
    await refused('5/24/00', unit, cdb.receiveCopyFailureDetailsLid1(1, 1000));
  });

  it('has nothing to tell of a copy that succeeded', async () => {
    const [unit] = unitsOf([new TestDisk()]);
    await extendedCopy(unit, { listId: 1, targets: targetsOf(unit), segments: [segment] });
    expect(await good(unit, cdb.receiveCopyFailureDetailsLid1(1, 100))).to.deep.equal(new Uint8Array(4));
  });
});

describe('RECEIVE COPY OPERATING PARAMETERS', () => {
  it('tells the limits', async () => {
    const [unit] = unitsOf([new TestDisk()]);
    const data = await good(unit, cdb.receiveCopyOperatingParameters(1000));
    const view = new DataView(data.buffer, data.byteOffset);
    expect(view.getUint32(0)).to.equal(data.length - 4);
    expect(data[4]).to.equal(1);
    expect(view.getUint16(8)).to.equal(copyLimits.targets);
    expect(view.getUint16(10)).to.equal(copyLimits.segments);
    expect(view.getUint32(12)).to.equal(copyLimits.descriptorBytes);
    expect(view.getUint32(16)).to.equal(copyLimits.segmentBytes);
    expect(view.getUint16(34)).to.be.at.least(data[36]);
    expect([...data.subarray(43)]).to.deep.equal([3, 0x02, 0x0a, 0xe4]);
  });

  it('is cut to the allocation length', async () => {
    const [unit] = unitsOf([new TestDisk()]);
    expect(await good(unit, cdb.receiveCopyOperatingParameters(9))).to.have.length(9);
    expect(await good(unit, cdb.receiveCopyOperatingParameters(0))).to.have.length(0);
  });
});

describe('RECEIVE COPY STATUS(LID4) and RECEIVE ROD TOKEN INFORMATION', () => {
  it('tell of a token command, which has list identifiers of its own', async () => {
    const [unit] = unitsOf([new TestDisk()]);
    await extendedCopy(unit, { listId: 1, targets: targetsOf(unit), segments: [segment] });
    await refused('5/24/00', unit, cdb.receiveCopyStatusLid4(1, 100));
    await refused('5/24/00', unit, cdb.receiveRodTokenInformation(1, 100));
    await populate(unit, 0x01020304, { ranges: [{ lba: 0, blocks: 9 }] });
    for (let times = 0; times < 2; times++) {
      const data = await good(unit, cdb.receiveCopyStatusLid4(0x01020304, 1000));
      expect(data).to.have.length(32);
      expect(decodeTokenInformation(data)).to.include({ serviceAction: 0x10, status: 0x01, blocks: 9 });
      expect(data.subarray(8, 12)).to.deep.equal(bytes(0xff, 0xff, 0xff, 0xfe));
    }
  });

  it('give the token until it was fetched as a whole', async () => {
    const [unit] = unitsOf([new TestDisk()]);
    await populate(unit, 1, { ranges: [{ lba: 0, blocks: 1 }] });
    const length = 32 + 4 + 2 + 512;
    expect(await good(unit, cdb.receiveRodTokenInformation(1, 100))).to.have.length(100);
    expect(await good(unit, cdb.receiveRodTokenInformation(1, length))).to.have.length(length);
    expect(await good(unit, cdb.receiveRodTokenInformation(1, length))).to.have.length(36);
    await populate(unit, 1, { ranges: [{ lba: 0, blocks: 1 }] });
    await good(unit, cdb.receiveRodTokenInformation(1, 0));
    expect(await good(unit, cdb.receiveRodTokenInformation(1, length))).to.have.length(36);
  });
});
