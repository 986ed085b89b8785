import { expect } from 'chai';
import * as cdb from '../../../src/scsi/cdb.js';
import { LogicalUnit } from '../../../src/scsi/logical-unit.js';
import { opcode } from '../../../src/scsi/opcode.js';
import { reservationType } from '../../../src/scsi/reservation-state.js';
import { TestDisk } from '../support/disk.js';
import { Initiator, key } from '../support/initiator.js';

const modeSense6 = Uint8Array.of(opcode.modeSense6, 0, 0x3f, 0, 0xff, 0);
const startUnit = Uint8Array.of(opcode.startStopUnit, 0, 0, 0, 0x01, 0);
const stopUnit = Uint8Array.of(opcode.startStopUnit, 0, 0, 0, 0x00, 0);

describe('RESERVE and RELEASE', () => {
  let unit: LogicalUnit;
  let a: Initiator;
  let b: Initiator;

  beforeEach(() => {
    unit = new LogicalUnit(new TestDisk());
    a = new Initiator(unit, 'iqn.test:a');
    b = new Initiator(unit, 'iqn.test:b');
  });

  for (const [width, reserve, release] of [
    ['6', cdb.reserve6(), cdb.release6()],
    ['10', cdb.reserve10(), cdb.release10()],
  ] as const) {
    it(`of ${width} bytes give the unit to one initiator until it releases it`, async () => {
      expect(await a.does(reserve)).to.equal('good');
      expect(await a.does(reserve)).to.equal('good');
      expect(await b.does(reserve)).to.equal('conflict');
      expect(await b.does(release)).to.equal('good');
      expect(await b.reads()).to.equal('conflict');
      expect(await b.writes()).to.equal('conflict');
      expect(await a.writes()).to.equal('good');
      expect(await a.does(release)).to.equal('good');
      expect(await b.does(reserve)).to.equal('good');
      expect(await a.reads()).to.equal('conflict');
      expect(await b.does(release)).to.equal('good');
      expect(await a.reads()).to.equal('good');
    });
  }

  it('let other initiators ask who is there, but not use the unit', async () => {
    await a.does(cdb.reserve6());
    for (const bytes of [cdb.testUnitReady(), modeSense6, stopUnit]) {
      expect(await b.does(bytes)).to.equal('conflict');
      expect(await a.does(bytes)).to.equal('good');
      await a.does(startUnit);
    }
    const reportLuns = Uint8Array.of(opcode.reportLuns, 0, 0, 0, 0, 0, 0, 0, 0, 16, 0, 0);
    const requestSense = Uint8Array.of(opcode.requestSense, 0, 0, 0, 18, 0);
    for (const bytes of [cdb.inquiry(36), reportLuns, requestSense, cdb.readCapacity10(), startUnit]) {
      expect(await b.does(bytes)).to.equal('good');
    }
  });

  it('end with the I_T nexus of whom reserved, and with no other', async () => {
    await a.does(cdb.reserve6());
    await unit.nexusLost(b.nexus);
    expect(await b.reads()).to.equal('conflict');
    await unit.nexusLost(a.nexus);
    expect(await b.does(cdb.reserve6())).to.equal('good');
  });

  it('end with a logical unit reset', async () => {
    await a.does(cdb.reserve6());
    await unit.reset(b.nexus);
    expect(await b.does(cdb.reserve6())).to.equal('6/29/03');
    expect(await b.does(cdb.reserve6())).to.equal('good');
    expect(await a.told().catch(() => 'conflict')).to.equal('conflict');
  });

  it('know no third parties and no extents', async () => {
    for (const operation of [opcode.reserve6, opcode.release6]) {
      expect(await a.does(Uint8Array.of(operation, 0x10, 0, 0, 0, 0))).to.equal('5/24/00');
      expect(await a.does(Uint8Array.of(operation, 0x01, 0, 0, 0, 0))).to.equal('5/24/00');
    }
    expect(await b.reads()).to.equal('good');
  });

  it('exclude persistent reservations', async () => {
    await a.does(cdb.reserve6());
    for (const initiator of [a, b]) {
      expect(await initiator.does(cdb.persistentReserveIn(0))).to.equal('conflict');
      expect(await initiator.out('register', { serviceActionKey: key(1) })).to.equal('conflict');
    }
    await a.does(cdb.release6());
    expect(await a.out('register', { serviceActionKey: key(1) })).to.equal('good');
  });

  it('are excluded by registrations', async () => {
    await a.out('register', { serviceActionKey: key(1) });
    for (const initiator of [a, b]) {
      expect(await initiator.does(cdb.reserve6())).to.equal('conflict');
      expect(await initiator.does(cdb.release6())).to.equal('conflict');
    }
  });

  it('change nothing, and are good, for who has a persistent reservation (CRH)', async () => {
    const { writeExclusive, writeExclusiveRegistrantsOnly } = reservationType;
    await a.out('register', { serviceActionKey: key(1) });
    await b.out('register', { serviceActionKey: key(2) });
    await a.out('reserve', { key: key(1) }, writeExclusive);
    expect(await a.does(cdb.reserve6())).to.equal('good');
    expect(await a.does(cdb.release6())).to.equal('good');
    expect(await b.does(cdb.reserve6())).to.equal('conflict');
    expect(await b.writes()).to.equal('conflict');
    expect(await b.reads()).to.equal('good');
    await a.out('release', { key: key(1) }, writeExclusive);
    await a.out('reserve', { key: key(1) }, writeExclusiveRegistrantsOnly);
    expect(await b.does(cdb.reserve10())).to.equal('good');
    expect(await b.does(cdb.release10())).to.equal('good');
    expect(await a.writes()).to.equal('good');
  });
});
