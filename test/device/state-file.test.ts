import { expect } from 'chai';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { StateFile } from '../../src/device/state-file.js';
import * as cdb from '../../src/scsi/cdb.js';
import { LogicalUnit } from '../../src/scsi/logical-unit.js';
import { serviceAction } from '../../src/scsi/opcode.js';
import { reservationType } from '../../src/scsi/reservation-state.js';
import type { SavedReservations } from '../../src/scsi/saved-reservations.js';
import { scsiStatus } from '../../src/scsi/status.js';
import { TestDisk } from '../scsi/support/disk.js';
import { iscsiNexus } from '../scsi/support/nexus.js';
import { good, run, senseOf } from '../scsi/support/unit.js';

const KEY = '0123456789abcdef';

describe('StateFile', () => {
  let directory: string;
  let path: string;

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'reservation-file-'));
    path = join(directory, 'disk.json');
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  it('gives back what was saved, and nothing where nothing was', async () => {
    const state = {
      version: 1,
      registrations: [{ transportId: '00'.repeat(24), port: 1, key: KEY }],
      reservation: { type: 3, holder: 0 },
    } as const;
    const file = new StateFile<SavedReservations>(path);
    expect(file.load()).to.equal(undefined);
    await file.save(state);
    expect(file.load()).to.deep.equal(state);
    await file.save({ version: 1, registrations: [] });
    expect(new StateFile<SavedReservations>(path).load()).to.deep.equal({ version: 1, registrations: [] });
    expect(readdirSync(directory)).to.deep.equal(['disk.json']);
  });

  it('keeps a reservation from one logical unit to the next', async () => {
    const make = (): LogicalUnit =>
      new LogicalUnit(new TestDisk(), { reservationStore: new StateFile<SavedReservations>(path) });
    const [before, after] = [make(), iscsiNexus('iqn.test:a')];
    const holder = iscsiNexus('iqn.test:a');
    before.attentions.take(holder);
    const parameters = cdb.persistentReserveParameters({ serviceActionKey: KEY, persistent: true });
    await good(before, cdb.persistentReserveOut(serviceAction.register), parameters, { nexus: holder });
    await good(
      before,
      cdb.persistentReserveOut(serviceAction.reserve, reservationType.exclusiveAccess),
      cdb.persistentReserveParameters({ key: KEY }),
      { nexus: holder },
    );
    const unit = make();
    const other = iscsiNexus('iqn.test:b');
    unit.attentions.take(after);
    unit.attentions.take(other);
    await good(unit, cdb.write10(0, 1), new Uint8Array(512), { nexus: after });
    expect((await run(unit, cdb.read10(0, 1), undefined, { nexus: other })).status).to.equal(
      scsiStatus.reservationConflict,
    );
  });

  it('says what is wrong with a damaged file, which is then as good as none', () => {
    writeFileSync(path, '{"version":1,');
    const messages: string[] = [];
    const options = {
      reservationStore: new StateFile<SavedReservations>(path),
      log: (text: string) => messages.push(text),
    };
    expect(new LogicalUnit(new TestDisk(), options).reservations.active).to.equal(false);
    expect(messages).to.have.length(1);
    expect(messages[0]).to.include(path).and.to.include('JSON');
  });

  it('fails the command where the file cannot be written, and what it asked for did not happen', async () => {
    const messages: string[] = [];
    const unit = new LogicalUnit(new TestDisk(), {
      reservationStore: new StateFile<SavedReservations>(join(directory, 'missing', 'disk.json')),
      log: (text) => messages.push(text),
    });
    const nexus = iscsiNexus('iqn.test:a');
    unit.attentions.take(nexus);
    const parameters = cdb.persistentReserveParameters({ serviceActionKey: KEY, persistent: true });
    const response = await run(unit, cdb.persistentReserveOut(serviceAction.register), parameters, { nexus });
    expect(senseOf(response)).to.equal('4/44/00');
    expect(unit.reservations.state.registrations.size).to.equal(0);
    // Without APTPL nothing is written, and the unit works.
    const plain = cdb.persistentReserveParameters({ serviceActionKey: KEY });
    await good(unit, cdb.persistentReserveOut(serviceAction.register), plain, { nexus });
    expect(unit.reservations.state.registrations.size).to.equal(1);
  });
});
