import { expect } from 'chai';
import * as cdb from '../../../src/scsi/cdb.js';
import { LogicalUnit } from '../../../src/scsi/logical-unit.js';
import { reservationType } from '../../../src/scsi/reservation-state.js';
import { TestDisk } from '../support/disk.js';
import { Initiator, key } from '../support/initiator.js';
import { iscsiNexus, iscsiTransportId } from '../support/nexus.js';

describe('PERSISTENT RESERVE IN', () => {
  let unit: LogicalUnit;
  let a: Initiator;
  let b: Initiator;

  beforeEach(() => {
    unit = new LogicalUnit(new TestDisk());
    a = new Initiator(unit, 'iqn.test:a');
    b = new Initiator(unit, iscsiNexus('iqn.test:b', 2));
  });

  it('READ KEYS lists the keys and says how often registrations changed', async () => {
    expect((await a.in('readKeys')).toString('hex')).to.equal('0000000000000000');
    await a.out('register', { serviceActionKey: 'fedcba9876543210' });
    await b.out('register', { serviceActionKey: key(2) });
    expect((await b.in('readKeys')).toString('hex')).to.equal(
      '00000002' + '00000010' + 'fedcba9876543210' + '0000000000000002',
    );
  });

  it('READ KEYS cut by the allocation length still tells how many there are', async () => {
    await a.out('register', { serviceActionKey: key(1) });
    expect((await a.in('readKeys', 8)).toString('hex')).to.equal('0000000100000008');
    expect(await a.in('readKeys', 0)).to.have.length(0);
  });

  it('READ RESERVATION tells type and key of the holder', async () => {
    await a.out('register', { serviceActionKey: key(0xabc) });
    expect(await a.in('readReservation')).to.have.length(8);
    await a.out('reserve', { key: key(0xabc) }, reservationType.exclusiveAccess);
    expect((await b.in('readReservation')).toString('hex')).to.equal(
      '00000001' + '00000010' + '0000000000000abc' + '00000000' + '00' + '03' + '0000',
    );
  });

  it('READ RESERVATION tells no key where all registrants hold it', async () => {
    await a.out('register', { serviceActionKey: key(0xabc) });
    await a.out('reserve', { key: key(0xabc) }, reservationType.exclusiveAccessAllRegistrants);
    expect((await a.in('readReservation')).subarray(8).toString('hex')).to.equal(
      '0000000000000000' + '00000000' + '00' + '08' + '0000',
    );
  });

  it('REPORT CAPABILITIES names every type, CRH, ATP_C, and PTPL_C where there is a store', async () => {
    expect((await a.in('reportCapabilities')).toString('hex')).to.equal('000814b0ea010000');
    const kept = new LogicalUnit(new TestDisk(), {
      reservationStore: { load: () => undefined, save: () => undefined },
    });
    const c = new Initiator(kept, 'iqn.test:c');
    expect((await c.in('reportCapabilities')).toString('hex')).to.equal('000815b0ea010000');
    await c.out('register', { serviceActionKey: key(1), persistent: true });
    expect((await c.in('reportCapabilities'))[3]).to.equal(0xb1);
    await c.out('register', { key: key(1), serviceActionKey: key(1) });
    expect((await c.in('reportCapabilities'))[3]).to.equal(0xb0);
  });

  it('READ FULL STATUS tells who registered through which port, and who holds the reservation', async () => {
    const c = new Initiator(unit, 'iqn.test:c');
    await a.out('register', { serviceActionKey: key(1) });
    await b.out('register', { serviceActionKey: key(2) });
    await c.out('register', { serviceActionKey: key(3), allPorts: true });
    await b.out('reserve', { key: key(2) }, reservationType.writeExclusiveRegistrantsOnly);
    const data = await a.in('readFullStatus');
    expect(data.readUInt32BE(0)).to.equal(3);
    expect(data.readUInt32BE(4)).to.equal(data.length - 8);
    const found: unknown[] = [];
    for (let at = 8; at < data.length; at += 24 + data.readUInt32BE(at + 20)) {
      found.push({
        key: data.toString('hex', at, at + 8),
        flags: data[at + 12],
        scopeAndType: data[at + 13],
        port: data.readUInt16BE(at + 18),
        transportId: data.toString('hex', at + 24, at + 24 + data.readUInt32BE(at + 20)),
      });
    }
    const id = (name: string): string => Buffer.from(iscsiTransportId(name)).toString('hex');
    expect(found).to.deep.equal([
      { key: key(1), flags: 0, scopeAndType: 0, port: 1, transportId: id('iqn.test:a') },
      { key: key(2), flags: 1, scopeAndType: 5, port: 2, transportId: id('iqn.test:b') },
      { key: key(3), flags: 2, scopeAndType: 0, port: 0, transportId: id('iqn.test:c') },
    ]);
  });

  it('READ FULL STATUS makes up a TransportID for an initiator of a transport without any', async () => {
    const local = new Initiator(unit, { name: 'lio' });
    await local.out('register', { serviceActionKey: key(1) });
    await local.out('reserve', { key: key(1) }, reservationType.writeExclusiveAllRegistrants);
    const data = await local.in('readFullStatus');
    expect(data.subarray(20, 22).toString('hex')).to.equal('0107');
    expect(data.toString('hex', 32)).to.equal('05000014' + '6c696f'.padEnd(40, '0'));
  });

  it('has no other service actions', async () => {
    for (let action = 4; action < 0x20; action++) {
      expect(await a.does(cdb.persistentReserveIn(action))).to.equal('5/24/00');
    }
  });
});
