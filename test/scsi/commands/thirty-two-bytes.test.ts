import { expect } from 'chai';
import * as cdb from '../../../src/scsi/cdb.js';
import { pattern, TestDisk, ThinDisk } from '../support/disk.js';
import { good, readyUnit, refused } from '../support/unit.js';

describe('variable length CDBs', () => {
  it('read, write and verify as the shorter ones do', async () => {
    const disk = new TestDisk();
    const unit = readyUnit(disk, { longCommands: true });
    await good(unit, cdb.write32(4, 2, { fua: true, dpo: true }), pattern(1024));
    expect(disk.calls).to.deep.equal(['write 2048+1024 fua dpo', 'flush fua dpo']);
    expect([...(await good(unit, cdb.read32(4, 2)))]).to.deep.equal([...pattern(1024)]);
    await good(unit, cdb.verify32(4, 2, { bytchk: 1 }), pattern(1024));
    expect(await refused('e/1d/00', unit, cdb.verify32(4, 2, { bytchk: 1 }), pattern(1024, 2))).to.include({
      information: 0,
    });
    expect((await refused('5/24/00', unit, cdb.verify32(4, 2, { bytchk: 2 }))).field).to.include({
      byte: 10,
    });
  });

  it('write the same block, deallocate, and need no Data-Out with NDOB', async () => {
    const disk = new ThinDisk(100_000);
    const unit = readyUnit(disk, { longCommands: true });
    await good(unit, cdb.writeSame32(1, 2), pattern(512));
    expect([...disk.bytes.subarray(1024, 1536)]).to.deep.equal([...pattern(512)]);
    await good(unit, cdb.writeSame32(1, 2, { unmap: true, ndob: true }));
    expect(disk.calls.at(-1)).to.equal('unmap 512+1024');
    expect((await refused('5/24/00', unit, cdb.writeSame32(1, 1).with(10, 0x10))).field).to.include({
      byte: 10,
    });
    expect((await refused('5/24/00', unit, cdb.writeSame32(0, 70_000))).field).to.include({ byte: 28 });
  });

  it('are there only where they are asked for', async () => {
    await refused('5/20/00', readyUnit(new TestDisk()), cdb.read32(0, 1));
  });

  it('have their own checks: length, service action, protection, transfer length', async () => {
    const unit = readyUnit(new TestDisk(64), { maxTransferBlocks: 32, longCommands: true });
    expect((await refused('5/24/00', unit, cdb.read32(0, 1).with(7, 0x17))).field).to.include({ byte: 7 });
    expect((await refused('5/24/00', unit, cdb.read32(0, 1).with(8, 1))).field).to.include({ byte: 8 });
    expect((await refused('5/24/00', unit, cdb.read32(0, 1).with(10, 0x20))).field).to.include({
      byte: 10,
      bit: 7,
    });
    expect((await refused('5/24/00', unit, cdb.read32(0, 33))).field).to.include({ byte: 28 });
    await refused('5/21/00', unit, cdb.read32(63, 2));
  });
});
