import { expect } from 'chai';
import fc from 'fast-check';
import * as cdb from '../../src/scsi/cdb.js';
import { CommandSet } from '../../src/scsi/command-set.js';
import { commandTable } from '../../src/scsi/command-table.js';
import { LogicalUnit } from '../../src/scsi/logical-unit.js';
import { opcode, serviceAction } from '../../src/scsi/opcode.js';
import { reservationType } from '../../src/scsi/reservation-state.js';
import { TestDisk } from './support/disk.js';
import { Initiator } from './support/initiator.js';

const rows = commandTable.filter((row) => row.reservation === 'own');
const set = new CommandSet(rows);
const hexKey = fc.bigInt(1n, 2n ** 64n - 1n).map((value) => value.toString(16).padStart(16, '0'));

describe('CDBs of the reservation commands', () => {
  it('decode by the command table to what was encoded', () => {
    for (const [bytes, name] of [
      [cdb.reserve6(), 'RESERVE(6)'],
      [cdb.release6(), 'RELEASE(6)'],
      [cdb.reserve10(), 'RESERVE(10)'],
      [cdb.release10(), 'RELEASE(10)'],
    ] as const) {
      expect(set.decode(bytes)?.name).to.equal(name);
      expect(bytes).to.have.length(set.decode(bytes)!.usage.length);
    }
    const persistent = rows.filter((row) => row.serviceAction !== undefined);
    expect(persistent).to.have.length(12);
    for (const row of persistent) {
      const inwards = row.opcode === opcode.persistentReserveIn;
      const bytes = inwards
        ? cdb.persistentReserveIn(row.serviceAction!)
        : cdb.persistentReserveOut(row.serviceAction!);
      expect(set.decode(bytes)).to.equal(row);
      expect(bytes).to.have.length(row.usage.length);
    }
  });

  it('set no bit that is not evaluated', () => {
    fc.assert(
      fc.property(fc.constantFrom(...rows), fc.nat(0xffff), fc.nat(0x8), (row, length, type) => {
        if (row.serviceAction === undefined) return;
        const inwards = row.opcode === opcode.persistentReserveIn;
        const withType = row.usage[2] === 0 ? 0 : type;
        const bytes = inwards
          ? cdb.persistentReserveIn(row.serviceAction, length)
          : cdb.persistentReserveOut(row.serviceAction, withType, length);
        bytes.forEach((byte, at) => expect(byte & ~row.usage[at], `byte ${at}`).to.equal(0));
      }),
    );
  });

  it('carry keys, flags and type to the logical unit', async () => {
    const flags = { allPorts: fc.boolean(), persistent: fc.boolean() };
    const type = fc.constantFrom(...Object.values(reservationType));
    await fc.assert(
      fc.asyncProperty(hexKey, type, fc.record(flags), async (serviceActionKey, kind, asked) => {
        const unit = new LogicalUnit(new TestDisk(8), {
          reservationStore: { load: () => undefined, save: () => undefined },
        });
        const a = new Initiator(unit, 'iqn.test:a');
        expect(await a.out('register', { serviceActionKey, ...asked })).to.equal('good');
        expect(await a.out('reserve', { key: serviceActionKey }, kind)).to.equal('good');
        const { registrations, reservation, persistent } = unit.reservations.state;
        const [{ key, port }] = [...registrations.values()];
        expect({ key, allPorts: port === 'all', persistent, type: reservation?.type }).to.deep.equal({
          key: serviceActionKey,
          ...asked,
          type: kind,
        });
      }),
    );
    expect(serviceAction.registerAndMove).to.equal(7);
  });
});
