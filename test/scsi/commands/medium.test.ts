import { expect } from 'chai';
import * as cdb from '../../../src/scsi/cdb.js';
import { commandTable } from '../../../src/scsi/command-table.js';
import { diskWith, TestDisk, ThinDisk } from '../support/disk.js';
import { good, nexus, readyUnit, refused, run, senseOf } from '../support/unit.js';

const START = 0x01;
const LOEJ = 0x02;
const NO_FLUSH = 0x04;

const startStop = (flags: number, immediate = 0): number[] => [0x1b, immediate, 0, 0, flags, 0];
const prevent = (value: number): number[] => [0x1e, 0, 0, 0, value, 0];
const requestSense = [0x03, 0, 0, 0, 252, 0];
const other = { name: 'iqn.test:other' };

function removable() {
  const disk = new TestDisk();
  const unit = readyUnit(disk, { removable: true });
  unit.attentions.take(other);
  return { disk, unit };
}

describe('START STOP UNIT', () => {
  it('stops the medium, which makes everything else answer, and starts it again', async () => {
    const disk = new TestDisk();
    const unit = readyUnit(disk);
    await good(unit, startStop(0));
    expect(disk.calls, 'the cache is written out').to.deep.equal(['flush']);
    await refused('2/04/02', unit, cdb.testUnitReady());
    await refused('2/04/02', unit, cdb.read10(0, 1));
    await refused('2/04/02', unit, cdb.synchronizeCache10());
    await refused('2/04/02', unit, cdb.readCapacity16());
    await good(unit, [0x1a, 0, 0x3f, 0, 255, 0]);
    await good(unit, startStop(START));
    await good(unit, cdb.testUnitReady());
    expect(disk.calls).to.deep.equal(['flush']);
  });

  it('does not flush with NO_FLUSH, nor where there is no cache', async () => {
    const disk = new TestDisk();
    await good(readyUnit(disk), startStop(NO_FLUSH));
    expect(disk.calls).to.deep.equal([]);
    await good(readyUnit(diskWith(new TestDisk(), { flush: undefined })), startStop(0));
  });

  it('fails with what the flush failed with', async () => {
    const flush = () => Promise.reject(Object.assign(new Error('broken'), { code: 'EIO' }));
    expect(senseOf(await run(readyUnit(diskWith(new TestDisk(), { flush })), startStop(0)))).to.match(/^3/);
  });

  it('has nothing to eject where the medium is not removable', async () => {
    const unit = readyUnit(new TestDisk());
    expect((await refused('5/24/00', unit, startStop(LOEJ))).field).to.include({ byte: 4, bit: 1 });
    await refused('5/20/00', unit, prevent(1));
    await good(unit, cdb.testUnitReady());
  });

  it('takes each power condition, whose LOEJ and START mean nothing', async () => {
    const { unit } = removable();
    for (let condition = 1; condition < 16; condition++) {
      await good(unit, startStop((condition << 4) | LOEJ, 1));
      await good(unit, cdb.testUnitReady());
    }
  });

  for (const [condition, code] of [
    [0x2, 0x5e03],
    [0x3, 0x5e04],
    [0xa, 0x5e03],
    [0xb, 0x5e04],
  ]) {
    it(`enters power condition ${condition}, which REQUEST SENSE tells, until the medium is needed`, async () => {
      const unit = readyUnit(new TestDisk());
      const told = async () => {
        const data = await good(unit, requestSense);
        return (data[12] << 8) | data[13];
      };
      await good(unit, startStop(condition << 4));
      await good(unit, cdb.testUnitReady());
      expect(await told()).to.equal(code);
      await good(unit, cdb.read10(0, 1), undefined, { dataInLength: 512 });
      expect(await told()).to.equal(0);
      await good(unit, startStop(condition << 4));
      await good(unit, startStop(0x10));
      expect(await told(), 'ACTIVE').to.equal(0);
    });
  }

  it('lets a removable medium that was only stopped start again by itself', async () => {
    const { unit, disk } = removable();
    await good(unit, startStop(0));
    await good(unit, cdb.testUnitReady());
    await good(unit, cdb.read10(0, 1), undefined, { dataInLength: 512 });
    expect(disk.calls).to.deep.equal(['flush', 'read 0+512']);
  });
});

describe('a removable medium', () => {
  it('is told by INQUIRY', async () => {
    expect((await good(removable().unit, cdb.inquiry(96)))[1]).to.equal(0x80);
    expect((await good(readyUnit(new TestDisk()), cdb.inquiry(96)))[1]).to.equal(0);
  });

  it('is ejected after a flush, and refuses every command that needs it', async () => {
    const disk = new ThinDisk();
    const unit = readyUnit(disk, { removable: true });
    await good(unit, startStop(LOEJ));
    await good(unit, startStop(LOEJ), undefined);
    expect(disk.calls).to.deep.equal(['flush']);
    for (const { medium, opcode, serviceAction, usage } of commandTable) {
      if (!medium || opcode === 0x7f || !unit.commands.find(opcode, serviceAction ?? 0)) continue;
      const command = [opcode, serviceAction ?? 0, ...new Array<number>(usage.length - 2).fill(0)];
      await refused('2/3a/00', unit, command);
    }
    await good(unit, cdb.inquiry(96));
    expect(disk.calls).to.deep.equal(['flush']);
  });

  it('is loaded again: the others are told', async () => {
    const { unit } = removable();
    await good(unit, startStop(LOEJ));
    await refused('2/3a/00', unit, cdb.testUnitReady(), undefined, { nexus: other });
    await good(unit, startStop(LOEJ | START));
    await good(unit, cdb.testUnitReady());
    await refused('6/28/00', unit, cdb.testUnitReady(), undefined, { nexus: other });
    await good(unit, startStop(LOEJ | START));
    await good(unit, cdb.testUnitReady(), undefined, { nexus: other });
  });

  it('stays where one initiator prevents its removal', async () => {
    const { unit } = removable();
    await good(unit, prevent(1));
    await refused('5/53/02', unit, startStop(LOEJ));
    await refused('5/53/02', unit, startStop(LOEJ), undefined, { nexus: other });
    await good(unit, prevent(0), undefined, { nexus: other });
    await refused('5/53/02', unit, startStop(LOEJ));
    await good(unit, prevent(0));
    await good(unit, startStop(LOEJ), undefined, { nexus: other });
    await good(unit, prevent(1));
    await refused('5/53/02', unit, startStop(LOEJ | START));
  });

  it('refuses the obsolete values of PREVENT', async () => {
    const { unit } = removable();
    for (const value of [2, 3]) await refused('5/24/00', unit, prevent(value));
  });

  it('may be removed again when the nexus that prevented it is lost, or the unit reset', async () => {
    const { unit } = removable();
    await good(unit, prevent(1));
    await unit.nexusLost(nexus);
    await good(unit, startStop(LOEJ), undefined, { nexus: other });
    await good(unit, prevent(1), undefined, { nexus: other });
    await unit.reset();
    await refused('6/29/03', unit, cdb.testUnitReady());
    await good(unit, startStop(LOEJ | START));
  });
});
