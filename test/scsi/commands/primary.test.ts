import { expect } from 'chai';
import * as cdb from '../../../src/scsi/cdb.js';
import { decodeSense } from '../../../src/scsi/sense-data.js';
import { TestDisk } from '../support/disk.js';
import { good, readyUnit, refused } from '../support/unit.js';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const stranger = { name: 'iqn.test:stranger' };

describe('TEST UNIT READY', () => {
  it('is GOOD for a unit that is started', async () => {
    await good(readyUnit(new TestDisk()), cdb.testUnitReady());
  });
});

describe('REQUEST SENSE', () => {
  it('gives no sense where nothing is pending', async () => {
    const unit = readyUnit(new TestDisk());
    expect(hex(await good(unit, [3, 0, 0, 0, 252, 0]))).to.equal(`700000000000000a${'00'.repeat(10)}`);
    expect(hex(await good(unit, [3, 1, 0, 0, 252, 0]))).to.equal('7200000000000000');
  });

  it('gives a pending unit attention as data, and clears it', async () => {
    const unit = readyUnit(new TestDisk());
    const sense = await good(unit, [3, 1, 0, 0, 252, 0], undefined, { nexus: stranger });
    expect(decodeSense(sense)).to.deep.include({ key: 6, code: 0x2900 });
    await good(unit, cdb.testUnitReady(), undefined, { nexus: stranger });
  });

  it('is cut to the allocation length', async () => {
    expect(await good(readyUnit(new TestDisk()), [3, 0, 0, 0, 4, 0])).to.have.length(4);
  });
});

describe('REPORT LUNS', () => {
  const reportLuns = (select: number, length: number): number[] => [
    ...[0xa0, 0, select, 0, 0, 0, 0, 0],
    length >> 8,
    length & 0xff,
    0,
    0,
  ];

  it('lists LUN 0', async () => {
    const unit = readyUnit(new TestDisk());
    for (const select of [0, 2]) {
      expect(hex(await good(unit, reportLuns(select, 4096)))).to.equal(`00000008${'00'.repeat(12)}`);
    }
    expect(hex(await good(unit, reportLuns(1, 16))), 'no well known units').to.equal('00'.repeat(8));
  });

  it('needs room for one LUN, and a SELECT REPORT it knows', async () => {
    const unit = readyUnit(new TestDisk());
    expect((await refused('5/24/00', unit, reportLuns(0, 15))).field).to.include({ byte: 6 });
    expect((await refused('5/24/00', unit, reportLuns(3, 16))).field).to.include({ byte: 2 });
  });

  it('leaves a unit attention pending', async () => {
    const unit = readyUnit(new TestDisk());
    await good(unit, reportLuns(0, 16), undefined, { nexus: stranger });
    await refused('6/29/00', unit, cdb.testUnitReady(), undefined, { nexus: stranger });
  });
});
