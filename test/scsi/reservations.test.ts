import { expect } from 'chai';
import * as cdb from '../../src/scsi/cdb.js';
import { LogicalUnit } from '../../src/scsi/logical-unit.js';
import { reservationType } from '../../src/scsi/reservation-state.js';
import type { ReservationStore, SavedReservations } from '../../src/scsi/saved-reservations.js';
import { TestDisk } from './support/disk.js';
import { Initiator, key } from './support/initiator.js';
import { iscsiNexus } from './support/nexus.js';
import { Deferred } from './support/unit.js';

const types = reservationType;
const [A, B] = [key(0xa), key(0xb)];

/** A store in memory, as JSON would keep it, whose saves can be held up. */
class MemoryStore implements ReservationStore {
  kept?: string;
  gates: Deferred[] = [];
  saves = 0;

  load(): SavedReservations | undefined {
    return this.kept === undefined ? undefined : (JSON.parse(this.kept) as SavedReservations);
  }

  save(state: SavedReservations): void | Promise<void> {
    this.saves++;
    const text = JSON.stringify(state);
    const gate = this.gates.shift();
    if (!gate) {
      this.kept = text;
      return;
    }
    return gate.promise.then(() => {
      this.kept = text;
    });
  }
}

describe('reservations that outlive a loss of power', () => {
  let store: MemoryStore;
  let unit: LogicalUnit;
  let a: Initiator;
  let b: Initiator;

  function powerUp(): void {
    unit = new LogicalUnit(new TestDisk(), { reservationStore: store });
    a = new Initiator(unit, 'iqn.test:a');
    b = new Initiator(unit, 'iqn.test:b');
  }

  beforeEach(() => {
    store = new MemoryStore();
    powerUp();
  });

  for (const [name, type] of Object.entries(types)) {
    it(`come back with their type and holder (${name})`, async () => {
      await a.out('register', { serviceActionKey: A, persistent: true });
      await new Initiator(unit, iscsiNexus('iqn.test:c', 3)).out('register', {
        serviceActionKey: B,
        allPorts: true,
        persistent: true,
      });
      await a.out('reserve', { key: A }, type);
      const before = (await a.in('readFullStatus')).subarray(4);
      powerUp();
      expect((await a.in('readFullStatus')).subarray(4)).to.deep.equal(before);
      expect((await a.in('readKeys')).readUInt32BE(0)).to.equal(0);
      expect(await a.writes()).to.equal('good');
      expect(await b.writes()).to.equal('conflict');
      expect(await a.out('release', { key: A }, type)).to.equal('good');
      powerUp();
      expect(await b.writes()).to.equal('good');
      expect(await a.out('clear', { key: A })).to.equal('good');
      powerUp();
      expect(await a.in('readKeys')).to.have.length(8);
    });
  }

  it('are as the last registration asked for', async () => {
    await a.out('register', { serviceActionKey: A });
    expect(store.saves).to.equal(0);
    await b.out('register', { serviceActionKey: B, persistent: true });
    await a.out('register', { key: A, serviceActionKey: A });
    powerUp();
    expect(await a.in('readKeys')).to.have.length(8);
  });

  it('are not for initiators that could not be recognised', async () => {
    const local = new Initiator(unit, { name: 'local' });
    const other = new Initiator(unit, { name: 'other' });
    const parameters = { serviceActionKey: A, persistent: true };
    expect(await local.out('register', parameters)).to.equal('5/26/00');
    await local.out('register', { serviceActionKey: A });
    await a.out('register', { serviceActionKey: B, persistent: true });
    expect(await local.out('reserve', { key: A }, types.exclusiveAccess)).to.equal('good');
    expect(await other.reads()).to.equal('conflict');
    powerUp();
    expect((await a.in('readKeys')).toString('hex', 8)).to.equal(B);
    expect(await b.writes()).to.equal('good');
  });

  it('are saved before the command is answered, one change after the other', async () => {
    const [first, second] = [new Deferred(), new Deferred()];
    store.gates = [first, second];
    const ended: string[] = [];
    const registering = a
      .out('register', { serviceActionKey: A, persistent: true })
      .then((outcome) => ended.push(`a ${outcome}`));
    const other = b
      .out('register', { serviceActionKey: B, persistent: true })
      .then((outcome) => ended.push(`b ${outcome}`));
    const reserving = b.does(cdb.reserve6()).then((outcome) => ended.push(`reserve ${outcome}`));
    const releasing = b.does(cdb.release6()).then((outcome) => ended.push(`release ${outcome}`));
    await new Promise(setImmediate);
    expect(ended).to.deep.equal([]);
    expect(unit.reservations.state.registrations.size).to.equal(0);
    first.resolve();
    await registering;
    expect(ended).to.deep.equal(['a good']);
    second.resolve();
    await Promise.all([other, reserving, releasing]);
    expect(ended.sort()).to.deep.equal(['a good', 'b good', 'release conflict', 'reserve conflict']);
    expect(JSON.parse(store.kept!)).to.have.property('registrations').with.length(2);
  });

  it('are as before where saving fails, and the next change goes ahead', async () => {
    const gate = new Deferred();
    store.gates = [gate];
    const failing = a.out('register', { serviceActionKey: A, persistent: true });
    const next = b.out('register', { serviceActionKey: B, persistent: true });
    gate.reject(new Error('no space'));
    expect([await failing, await next]).to.deep.equal(['4/44/00', 'good']);
    expect((await a.in('readKeys')).toString('hex', 8)).to.equal(B);
    store.save = () => {
      throw new Error('no space');
    };
    expect(await b.out('register', { key: B, persistent: true })).to.equal('4/44/00');
    expect(await b.out('reserve', { key: B }, types.exclusiveAccess)).to.equal('4/44/00');
    expect(await a.writes()).to.equal('good');
  });

  it('PREEMPT AND ABORT waits for the save as well', async () => {
    await a.out('register', { serviceActionKey: A, persistent: true });
    await b.out('register', { serviceActionKey: B, persistent: true });
    const gate = new Deferred();
    store.gates = [gate];
    const preempting = b.out('preemptAndAbort', { key: B, serviceActionKey: A });
    gate.resolve();
    expect(await preempting).to.equal('good');
    expect(await a.told()).to.deep.equal(['6/2a/05']);
  });

  const transportId = '45000014' + Buffer.from('iqn.a,i,0x400001370000').toString('hex').padEnd(48, '0');
  const registration = { transportId, port: 1, key: A };
  const damaged: [string, unknown][] = [
    ['no object', 7],
    ['another version', { version: 2, registrations: [] }],
    ['no list', { version: 1 }],
    ['a registration that is none', { version: 1, registrations: [null] }],
    ['a key of zero', { version: 1, registrations: [{ ...registration, key: key(0) }] }],
    ['a key that is a number', { version: 1, registrations: [{ ...registration, key: 5 }] }],
    ['a TransportID that is none', { version: 1, registrations: [{ ...registration, transportId: 'x' }] }],
    ['a port that is none', { version: 1, registrations: [{ ...registration, port: -1 }] }],
    ['an initiator twice', { version: 1, registrations: [registration, registration] }],
    ['too many', { version: 1, registrations: new Array(2000).fill(registration) }],
    [
      'a type that is none',
      { version: 1, registrations: [registration], reservation: { type: 2, holder: 0 } },
    ],
    ['no holder', { version: 1, registrations: [registration], reservation: { type: 1 } }],
    [
      'a holder that is not there',
      { version: 1, registrations: [registration], reservation: { type: 1, holder: 1 } },
    ],
    ['a reservation of nobody', { version: 1, registrations: [], reservation: { type: 7 } }],
    ['a reservation that is none', { version: 1, registrations: [registration], reservation: 1 }],
  ];
  for (const [name, state] of damaged) {
    it(`are none, and the log says why, where what was saved has ${name}`, async () => {
      store.kept = JSON.stringify(state);
      const messages: string[] = [];
      unit = new LogicalUnit(new TestDisk(), {
        reservationStore: store,
        log: (message) => messages.push(message),
      });
      expect(messages).to.have.length(1);
      expect(messages[0]).to.match(/^persistent reservations were not restored: the saved .* damaged: /);
      b = new Initiator(unit, 'iqn.test:b');
      expect(await b.out('register', { serviceActionKey: B, persistent: true })).to.equal('good');
      expect(await b.writes()).to.equal('good');
    });
  }

  it('are none where the store throws, whatever it throws', () => {
    const messages: string[] = [];
    store.load = () => {
      // eslint-disable-next-line @typescript-eslint/only-throw-error
      throw 'odd';
    };
    new LogicalUnit(new TestDisk(), { reservationStore: store, log: (message) => messages.push(message) });
    expect(messages).to.deep.equal(['persistent reservations were not restored: odd']);
  });
});
