import { expect } from 'chai';
import * as cdb from '../../../src/scsi/cdb.js';
import { LogicalUnit } from '../../../src/scsi/logical-unit.js';
import { serviceAction } from '../../../src/scsi/opcode.js';
import { reservationType } from '../../../src/scsi/reservation-state.js';
import { TargetPortGroups } from '../../../src/scsi/target-port-groups.js';
import { diskWith, TestDisk } from '../support/disk.js';
import { Initiator, key } from '../support/initiator.js';
import { A, B, C, D, ThreeInitiators } from '../support/three-initiators.js';
import { iscsiTransportId } from '../support/nexus.js';
import { Deferred, run } from '../support/unit.js';

const RELEASED = '6/2a/04';
const REGISTRATION_PREEMPTED = '6/2a/05';

const types = reservationType;

describe("PERSISTENT RESERVE OUT of another's reservation", () => {
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

  describe('PREEMPT', () => {
    beforeEach(() => registerAll());

    it('takes a registration away', async () => {
      const parameters = { key: B, serviceActionKey: A };
      expect(await b.out('preempt', parameters, types.exclusiveAccess)).to.equal('good');
      expect([keys(), reserved(), generation()]).to.deep.equal([[B, C], undefined, 4]);
      expect(await a.told()).to.deep.equal([REGISTRATION_PREEMPTED]);
      expect([...(await b.told()), ...(await c.told())]).to.deep.equal([]);
    });

    it('takes the reservation of the holder over', async () => {
      await a.out('reserve', { key: A }, types.exclusiveAccess);
      const parameters = { key: B, serviceActionKey: A };
      expect(await b.out('preempt', parameters, 2)).to.equal('5/24/00');
      expect(await b.out('preempt', parameters, types.writeExclusive)).to.equal('good');
      expect([keys(), reserved()]).to.deep.equal([[B, C], types.writeExclusive]);
      expect(await a.writes()).to.equal(REGISTRATION_PREEMPTED);
      expect(await a.writes()).to.equal('conflict');
      expect(await c.told()).to.deep.equal([RELEASED]);
      expect(await c.writes()).to.equal('conflict');
      expect(await b.writes()).to.equal('good');
    });

    it('tells the rest nothing where the type stays', async () => {
      await a.out('reserve', { key: A }, types.exclusiveAccess);
      await b.out('preempt', { key: B, serviceActionKey: A }, types.exclusiveAccess);
      expect(await c.told()).to.deep.equal([]);
    });

    it('leaves the reservation alone where its holder has another key', async () => {
      await a.out('reserve', { key: A }, types.exclusiveAccess);
      await b.out('preempt', { key: B, serviceActionKey: C }, types.writeExclusive);
      expect([keys(), reserved()]).to.deep.equal([[A, B], types.exclusiveAccess]);
      expect(await c.told()).to.deep.equal([REGISTRATION_PREEMPTED]);
    });

    it('with a key of zero takes over what all registrants hold', async () => {
      await a.out('reserve', { key: A }, types.writeExclusiveAllRegistrants);
      expect(await b.out('preempt', { key: B }, types.exclusiveAccess)).to.equal('good');
      expect([keys(), reserved()]).to.deep.equal([[B], types.exclusiveAccess]);
      expect(await a.told()).to.deep.equal([REGISTRATION_PREEMPTED]);
      expect(await c.told()).to.deep.equal([REGISTRATION_PREEMPTED]);
    });

    it('with a key of zero is refused otherwise', async () => {
      expect(await b.out('preempt', { key: B }, types.exclusiveAccess)).to.equal('5/26/00');
      await a.out('reserve', { key: A }, types.exclusiveAccess);
      expect(await b.out('preempt', { key: B }, types.exclusiveAccess)).to.equal('5/26/00');
    });

    it('with a key takes only registrations away where all registrants hold the reservation', async () => {
      await a.out('reserve', { key: A }, types.exclusiveAccessAllRegistrants);
      await b.out('preempt', { key: B, serviceActionKey: A }, types.writeExclusive);
      expect([keys(), reserved()]).to.deep.equal([[B, C], types.exclusiveAccessAllRegistrants]);
    });

    it('of a key that nobody has is a conflict', async () => {
      const parameters = { key: B, serviceActionKey: D };
      expect(await b.out('preempt', parameters, types.exclusiveAccess)).to.equal('conflict');
      expect(await b.out('preempt', { key: A, serviceActionKey: A })).to.equal('conflict');
      expect(generation()).to.equal(3);
    });

    it('by the holder of itself changes the type', async () => {
      await a.out('reserve', { key: A }, types.exclusiveAccess);
      const parameters = { key: A, serviceActionKey: A };
      expect(await a.out('preempt', parameters, types.writeExclusive)).to.equal('good');
      expect([keys(), reserved()]).to.deep.equal([[A, B, C], types.writeExclusive]);
      expect(await b.told()).to.deep.equal([RELEASED]);
    });

    it('tells an initiator that has logged in anew', async () => {
      const again = new Initiator(unit, 'iqn.test:a');
      await b.out('preempt', { key: B, serviceActionKey: A });
      expect(await again.told()).to.deep.equal([REGISTRATION_PREEMPTED]);
    });
  });

  it('PREEMPT AND ABORT ends the commands of who was preempted, and of no other', async () => {
    const gates = [new Deferred(), new Deferred()];
    let reads = 0;
    const slow = new LogicalUnit(
      diskWith(new TestDisk(), {
        read: (_buffer, _offset, { signal }) => {
          const gate = gates[reads++];
          signal.addEventListener('abort', () => gate.resolve());
          return gate.promise;
        },
      }),
    );
    const [holder, other] = [new Initiator(slow, 'iqn.test:a'), new Initiator(slow, 'iqn.test:b')];
    await holder.out('register', { serviceActionKey: A });
    await other.out('register', { serviceActionKey: B });
    await holder.out('reserve', { key: A }, types.exclusiveAccessRegistrantsOnly);
    const mine = run(slow, cdb.read10(0, 1), undefined, { nexus: holder.nexus });
    const theirs = run(slow, cdb.read10(0, 1), undefined, { nexus: other.nexus });
    const parameters = { key: B, serviceActionKey: A };
    const preempting = other.out('preemptAndAbort', parameters, types.exclusiveAccess);
    gates[0].resolve();
    expect(await preempting).to.equal('good');
    expect((await mine).status).to.equal(0x40);
    gates[1].resolve();
    expect((await theirs).status).to.equal(0);
    expect(await holder.told()).to.deep.equal([REGISTRATION_PREEMPTED]);
    expect(await holder.reads()).to.equal('conflict');
  });

  describe('REGISTER AND MOVE', () => {
    const to = (
      name: string,
      parameters: Partial<Parameters<typeof cdb.registerAndMoveParameters>[0]> = {},
    ) => {
      const list = cdb.registerAndMoveParameters({
        key: A,
        serviceActionKey: D,
        port: 1,
        transportId: iscsiTransportId(name),
        ...parameters,
      });
      return [cdb.persistentReserveOut(serviceAction.registerAndMove, 0, list.length), list] as const;
    };

    it('is for the holder of a reservation of its own', async () => {
      expect(await a.does(...to('iqn.test:b'))).to.equal('conflict');
      await registerAll();
      expect(await a.does(...to('iqn.test:b'))).to.equal('conflict');
      await a.out('reserve', { key: A }, types.writeExclusiveAllRegistrants);
      expect(await a.does(...to('iqn.test:b'))).to.equal('conflict');
    });

    it('registers the other initiator, and gives it the reservation', async () => {
      await a.out('register', { serviceActionKey: A });
      await a.out('reserve', { key: A }, types.exclusiveAccess);
      expect(await b.writes()).to.equal('conflict');
      expect(await a.does(...to('iqn.test:B'))).to.equal('good');
      expect([keys(), generation()]).to.deep.equal([[A, D], 2]);
      expect(await b.writes()).to.equal('good');
      expect(await a.writes()).to.equal('conflict');
      expect(await b.out('release', { key: D }, types.exclusiveAccess)).to.equal('good');
    });

    it('with UNREG ends the registration of the sender', async () => {
      await registerAll();
      await a.out('reserve', { key: A }, types.exclusiveAccess);
      expect(await a.does(...to('iqn.test:b', { unregister: true }))).to.equal('good');
      expect(keys()).to.deep.equal([D, C]);
      expect(await b.writes()).to.equal('good');
    });

    it('is refused where the destination makes no sense', async () => {
      await a.out('register', { serviceActionKey: A });
      await a.out('reserve', { key: A }, types.exclusiveAccess);
      const own = iscsiTransportId('iqn.test:a');
      const cut = own.slice(0, -4);
      const device = Uint8Array.from(iscsiTransportId('iqn.test:b'));
      device[0] = 0x05;
      const fibreChannel = new Uint8Array(24);
      for (const parameters of [
        { transportId: own },
        { transportId: cut },
        { transportId: device },
        { transportId: fibreChannel },
        { transportId: new Uint8Array(20) },
        { port: 0 },
        { serviceActionKey: key(0) },
      ]) {
        expect(await a.does(...to('iqn.test:b', parameters))).to.equal('5/26/00');
      }
      expect(await a.does(...to('iqn.test:b', { key: B }))).to.equal('conflict');
      expect(keys()).to.deep.equal([A]);
    });

    it('knows the target ports where the unit was told of them', async () => {
      const ports = [1, 2].map((relativeId) => ({
        relativeId,
        group: 1,
        name: `iqn.test:t,t,0x000${relativeId}`,
      }));
      const portGroups = new TargetPortGroups(ports);
      const holder = new Initiator(new LogicalUnit(new TestDisk(), { portGroups }), 'iqn.test:a');
      await holder.out('register', { serviceActionKey: A });
      await holder.out('reserve', { key: A }, types.exclusiveAccess);
      expect(await holder.does(...to('iqn.test:b', { port: 3 }))).to.equal('5/26/00');
      expect(await holder.does(...to('iqn.test:b', { port: 2 }))).to.equal('good');
    });

    it('needs a list as long as it says', async () => {
      await a.out('register', { serviceActionKey: A });
      await a.out('reserve', { key: A }, types.exclusiveAccess);
      const [, list] = to('iqn.test:b');
      for (const length of [0, 24, 1000]) {
        const bytes = cdb.persistentReserveOut(serviceAction.registerAndMove, 0, length);
        expect(await a.does(bytes, new Uint8Array(1000))).to.equal('5/1a/00');
      }
      list[23]--;
      const bytes = cdb.persistentReserveOut(serviceAction.registerAndMove, 0, list.length);
      expect(await a.does(bytes, list)).to.equal('5/1a/00');
    });
  });
});
