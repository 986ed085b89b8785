import { expect } from 'chai';
import * as cdb from '../../../src/scsi/cdb.js';
import { TestDisk } from '../support/disk.js';
import { good, readyUnit, refused } from '../support/unit.js';

describe('READ DEFECT DATA', () => {
  for (const [width, readDefectData, length] of [
    ['10', cdb.readDefectData10, 4],
    ['12', cdb.readDefectData12, 8],
  ] as const) {
    it(`of ${width} bytes has empty lists`, async () => {
      const unit = readyUnit(new TestDisk());
      for (const format of [0, 3]) {
        const request = { primary: true, grown: true, format };
        const expected = new Uint8Array(length).with(1, 0x18 | format);
        expect(await good(unit, readDefectData(32, request))).to.deep.equal(expected);
      }
      expect(await good(unit, readDefectData(32))).to.deep.equal(new Uint8Array(length));
      expect(await good(unit, readDefectData(2))).to.have.length(2);
    });

    it(`of ${width} bytes has no lists in other formats`, async () => {
      const unit = readyUnit(new TestDisk());
      for (const format of [1, 2, 4, 5, 6, 7]) {
        await refused('1/1c/00', unit, readDefectData(32, { grown: true, format }));
      }
    });
  }
});
