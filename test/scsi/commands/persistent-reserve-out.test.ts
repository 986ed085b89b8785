import { expect } from 'chai';
import * as cdb from '../../../src/scsi/cdb.js';
import type { LogicalUnit } from '../../../src/scsi/logical-unit.js';
import { serviceAction } from '../../../src/scsi/opcode.js';
import { MAX_REGISTRATIONS } from '../../../src/scsi/persistent-reservations.js';
import { reservationType } from '../../../src/scsi/reservation-state.js';
import { Initiator, key } from '../support/initiator.js';
import { A, B, C, D, ThreeInitiators } from '../support/three-initiators.js';
import { iscsiNexus } from '../support/nexus.js';
import { nexus as plainNexus, refused } from '../support/unit.js';

const RELEASED = '6/2a/04';
const RESERVATION_PREEMPTED = '6/2a/03';

const types = reservationType;

describe('PERSISTENT RESERVE OUT', () => {
  let unit: LogicalUnit;
  let a: Initiator;
  let b: Initiator;
  let c: Initiator;
  let keys: () => string[];
  let generation: () => number;
  let reserved: () => number | undefined;
  let registerAll: () => Promise<void>;

  beforeEach(() => {
    const three = new ThreeInitiators();
    ({ unit, a, b, c, keys, generation, reserved } = three);
    registerAll = () => three.registerAll();
  });

  describe('REGISTER', () => {
    it('needs the key that is registered, zero where none is', async () => {
      expect(await a.out('register', { key: A, serviceActionKey: A })).to.equal('conflict');
      expect(await a.out('register', { serviceActionKey: A })).to.equal('good');
      expect(await a.out('register', { serviceActionKey: B })).to.equal('conflict');
      expect(await a.out('register', { key: A, serviceActionKey: B })).to.equal('good');
      expect(keys()).to.deep.equal([B]);
      expect(await a.out('register', { key: A })).to.equal('conflict');
      expect(await a.out('register', { key: B })).to.equal('good');
      expect(keys()).to.deep.equal([]);
      expect(generation()).to.equal(3);
      expect(await a.out('register', {})).to.equal('good');
      expect(generation()).to.equal(3);
    });

    it('AND IGNORE EXISTING KEY needs none', async () => {
      expect(await a.out('registerAndIgnoreExistingKey', {})).to.equal('good');
      expect(generation()).to.equal(0);
      for (const serviceActionKey of [A, B]) {
        const parameters = { key: D, serviceActionKey };
        expect(await a.out('registerAndIgnoreExistingKey', parameters)).to.equal('good');
        expect(keys()).to.deep.equal([serviceActionKey]);
      }
      expect(await a.out('registerAndIgnoreExistingKey', { key: D })).to.equal('good');
      expect(keys()).to.deep.equal([]);
      expect(generation()).to.equal(3);
    });

    it('lasts longer than the session, and is found by the next one', async () => {
      await registerAll();
      await unit.nexusLost(a.nexus);
      const again = new Initiator(unit, iscsiNexus('IQN.test:A'));
      expect(await again.out('reserve', { key: A }, types.exclusiveAccess)).to.equal('good');
      const otherPort = new Initiator(unit, iscsiNexus('iqn.test:a', 2));
      expect(await otherPort.writes()).to.equal('conflict');
      expect(await otherPort.out('register', { serviceActionKey: D })).to.equal('good');
      expect(keys()).to.deep.equal([A, B, C, D]);
    });

    it('without a TransportID is one of that session', async () => {
      const first = new Initiator(unit, { name: 'same' });
      const second = new Initiator(unit, { name: 'same' });
      await first.out('register', { serviceActionKey: A });
      expect(await second.out('clear', { key: A })).to.equal('conflict');
      expect(await second.out('register', { serviceActionKey: B })).to.equal('good');
    });

    it('with ALL_TG_PT holds for every target port, and takes in those of single ports', async () => {
      const second = new Initiator(unit, iscsiNexus('iqn.test:a', 2));
      await a.out('register', { serviceActionKey: A });
      await second.out('register', { serviceActionKey: B });
      await a.out('reserve', { key: A }, types.exclusiveAccess);
      expect(await second.writes()).to.equal('conflict');
      expect(await a.out('register', { key: A, serviceActionKey: C, allPorts: true })).to.equal('good');
      expect(keys()).to.deep.equal([C]);
      expect(await second.writes()).to.equal('good');
      expect(await b.reads()).to.equal('conflict');
      expect(await second.out('register', { key: C, serviceActionKey: D })).to.equal('good');
      expect(keys()).to.deep.equal([D]);
      expect(await second.out('register', { key: D })).to.equal('good');
      expect(await b.writes()).to.equal('good');
    });

    it('is refused with SPEC_I_PT, and with APTPL where nothing is kept', async () => {
      const list = cdb.persistentReserveParameters({ serviceActionKey: A });
      list[20] = 0x08;
      const bytes = cdb.persistentReserveOut(serviceAction.register);
      const sense = await refused('5/26/00', unit, bytes, list, { nexus: a.nexus });
      expect(sense.field).to.deep.equal({ inCdb: false, byte: 20, bit: 3 });
      const longer = Uint8Array.from([...list, 0, 0, 0, 0]);
      const asLong = cdb.persistentReserveOut(serviceAction.register, 0, 28);
      await refused('5/26/00', unit, asLong, longer, { nexus: a.nexus });
      list[20] = 0x01;
      const kept = await refused('5/26/00', unit, bytes, list, { nexus: a.nexus });
      expect(kept.field).to.deep.equal({ inCdb: false, byte: 20, bit: 0 });
      expect(keys()).to.deep.equal([]);
    });

    it('ends where there are as many as there may be', async () => {
      for (let index = 0; index < MAX_REGISTRATIONS; index++) {
        const one = new Initiator(unit, `iqn.test:${index}`);
        await one.out('register', { serviceActionKey: key(index + 1) });
      }
      expect(await a.out('register', { serviceActionKey: A })).to.equal('5/55/04');
      expect(keys()).to.have.length(MAX_REGISTRATIONS);
    });
  });

  describe('a parameter list', () => {
    it('has 24 bytes', async () => {
      for (const length of [0, 8, 23, 25, 0xffff_ffff]) {
        const bytes = cdb.persistentReserveOut(serviceAction.register, 0, length);
        expect(await a.does(bytes, new Uint8Array(Math.min(length, 64)))).to.equal('5/1a/00');
      }
    });

    it('must have come', async () => {
      const bytes = cdb.persistentReserveOut(serviceAction.register);
      expect(await a.does(bytes, new Uint8Array(16))).to.equal('5/0e/03');
    });
  });

  describe('RESERVE', () => {
    it('is for those who are registered, with their key', async () => {
      expect(await a.out('reserve', { key: A }, types.writeExclusive)).to.equal('conflict');
      await a.out('register', { serviceActionKey: A });
      expect(await a.out('reserve', { key: B }, types.writeExclusive)).to.equal('conflict');
      expect(reserved()).to.equal(undefined);
    });

    for (const [name, type] of Object.entries(types)) {
      it(`may be repeated by the holder with the same type only (${name})`, async () => {
        await registerAll();
        const all =
          type === types.writeExclusiveAllRegistrants || type === types.exclusiveAccessAllRegistrants;
        expect(await a.out('reserve', { key: A }, type)).to.equal('good');
        expect(await a.out('reserve', { key: A }, type)).to.equal('good');
        expect(await b.out('reserve', { key: B }, type)).to.equal(all ? 'good' : 'conflict');
        const another = type === types.writeExclusive ? types.exclusiveAccess : types.writeExclusive;
        expect(await a.out('reserve', { key: A }, another)).to.equal('conflict');
        expect(generation()).to.equal(3);
      });
    }

    it('knows six types and one scope', async () => {
      await a.out('register', { serviceActionKey: A });
      for (const type of [0, 2, 4, 9, 15]) {
        expect(await a.out('reserve', { key: A }, type)).to.equal('5/24/00');
      }
      expect(await a.out('reserve', { key: A }, 0x10 | types.writeExclusive)).to.equal('5/24/00');
    });
  });

  describe('a reservation', () => {
    const table: [keyof typeof types, string, string][] = [
      ['writeExclusive', 'read', 'read'],
      ['exclusiveAccess', '', ''],
      ['writeExclusiveRegistrantsOnly', 'read write', 'read'],
      ['exclusiveAccessRegistrantsOnly', 'read write', ''],
      ['writeExclusiveAllRegistrants', 'read write', 'read'],
      ['exclusiveAccessAllRegistrants', 'read write', ''],
    ];
    for (const [name, registered, unregistered] of table) {
      it(`${name} lets registrants ${registered || 'nothing'}, others ${unregistered || 'nothing'}`, async () => {
        await a.out('register', { serviceActionKey: A });
        await b.out('register', { serviceActionKey: B });
        await a.out('reserve', { key: A }, types[name]);
        expect([await a.reads(), await a.writes()]).to.deep.equal(['good', 'good']);
        const [modeSense, modeSelect] = [
          Uint8Array.of(0x1a, 0, 0x3f, 0, 255, 0),
          Uint8Array.of(0x15, 0x10, 0, 0, 0, 0),
        ];
        for (const [initiator, allowed] of [
          [b, registered],
          [c, unregistered],
        ] as const) {
          const [reads, writes] = ['read', 'write'].map((way) =>
            allowed.includes(way) ? 'good' : 'conflict',
          );
          expect(await initiator.reads()).to.equal(reads);
          expect(await initiator.does(modeSense)).to.equal(reads);
          expect(await initiator.writes()).to.equal(writes);
          expect(await initiator.does(modeSelect)).to.equal(writes);
          expect(await initiator.does(Uint8Array.of(0x1b, 0, 0, 0, 0x01, 0))).to.equal('good');
          for (const bytes of [cdb.testUnitReady(), cdb.inquiry(36), cdb.readCapacity16()]) {
            expect(await initiator.does(bytes)).to.equal('good');
          }
        }
        expect(await c.does(Uint8Array.of(0x1b, 0, 0, 0, 0x00, 0))).to.equal('conflict');
      });
    }

    it('is released when its holder unregisters; registrants are told where it was shared', async () => {
      for (const [type, told] of [
        [types.writeExclusive, []],
        [types.exclusiveAccess, []],
        [types.writeExclusiveRegistrantsOnly, [RELEASED]],
        [types.exclusiveAccessRegistrantsOnly, [RELEASED]],
      ] as const) {
        await a.out('registerAndIgnoreExistingKey', { serviceActionKey: A });
        await b.out('registerAndIgnoreExistingKey', { serviceActionKey: B });
        await a.out('reserve', { key: A }, type);
        expect(await a.out('register', { key: A })).to.equal('good');
        expect(reserved()).to.equal(undefined);
        expect(await b.told()).to.deep.equal(told);
        expect(await a.told()).to.deep.equal([]);
        expect(await c.told()).to.deep.equal([]);
      }
    });

    it('of all registrants lasts until the last one unregisters', async () => {
      await registerAll();
      await a.out('reserve', { key: A }, types.exclusiveAccessAllRegistrants);
      await a.out('register', { key: A });
      await b.out('register', { key: B });
      expect(reserved()).to.equal(types.exclusiveAccessAllRegistrants);
      expect(await a.reads()).to.equal('conflict');
      await c.out('register', { key: C });
      expect(reserved()).to.equal(undefined);
      expect(await a.reads()).to.equal('good');
    });

    it('stays with logical unit reset and nexus loss', async () => {
      await a.out('register', { serviceActionKey: A });
      await a.out('reserve', { key: A }, types.exclusiveAccess);
      await unit.nexusLost(a.nexus);
      await unit.reset();
      await b.told();
      expect(await b.reads()).to.equal('conflict');
    });
  });

  describe('RELEASE', () => {
    it('is for the holder, with the right type', async () => {
      await registerAll();
      expect(await a.out('release', { key: A }, types.writeExclusive)).to.equal('good');
      await a.out('reserve', { key: A }, types.writeExclusive);
      expect(await b.out('release', { key: B }, types.writeExclusive)).to.equal('good');
      expect(await a.out('release', { key: B }, types.writeExclusive)).to.equal('conflict');
      expect(await a.out('release', { key: A }, types.exclusiveAccess)).to.equal('5/26/04');
      expect(reserved()).to.equal(types.writeExclusive);
      expect(await a.out('release', { key: A }, types.writeExclusive)).to.equal('good');
      expect(reserved()).to.equal(undefined);
      expect(generation()).to.equal(3);
    });

    it('tells the other registrants where the reservation was shared', async () => {
      await a.out('register', { serviceActionKey: A });
      await b.out('register', { serviceActionKey: B });
      for (const type of Object.values(types)) {
        await a.out('reserve', { key: A }, type);
        await a.out('release', { key: A }, type);
        const shared = type !== types.writeExclusive && type !== types.exclusiveAccess;
        expect(await b.told()).to.deep.equal(shared ? [RELEASED] : []);
        expect([...(await a.told()), ...(await c.told())]).to.deep.equal([]);
      }
    });
  });

  it('CLEAR leaves nothing, and tells the others', async () => {
    await a.out('register', { serviceActionKey: A });
    await b.out('register', { serviceActionKey: B });
    await a.out('reserve', { key: A }, types.exclusiveAccess);
    expect(await c.out('clear', { key: A })).to.equal('conflict');
    expect(await b.out('clear', { key: B })).to.equal('good');
    expect([keys(), reserved(), generation()]).to.deep.equal([[], undefined, 3]);
    expect(await a.told()).to.deep.equal([RESERVATION_PREEMPTED]);
    expect([...(await b.told()), ...(await c.told())]).to.deep.equal([]);
  });

  it('works over a nexus without TransportID and port', async () => {
    const local = new Initiator(unit, plainNexus);
    expect(await local.out('register', { serviceActionKey: A })).to.equal('good');
    expect(await local.out('reserve', { key: A }, types.exclusiveAccess)).to.equal('good');
    expect([await local.writes(), await b.reads()]).to.deep.equal(['good', 'conflict']);
  });
});
