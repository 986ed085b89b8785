import { expect } from 'chai';
import * as cdb from '../../src/scsi/cdb.js';
import { LogicalUnit } from '../../src/scsi/logical-unit.js';
import { UnitAttentions } from '../../src/scsi/unit-attention.js';
import { identify } from '../../src/scsi/transport-id.js';
import { TestDisk } from './support/disk.js';
import { iscsiNexus } from './support/nexus.js';
import { good, readyUnit, refused, run, senseOf } from './support/unit.js';

const FIRST = 0x2900;
const [alice, bob] = [{ name: 'alice' }, { name: 'bob' }];

/** Everything a nexus is told, in order. */
function told(attentions: UnitAttentions, nexus: { name: string }): number[] {
  const codes: number[] = [];
  while (attentions.pending(nexus)) codes.push(attentions.take(nexus)!);
  return codes;
}

describe('UnitAttentions', () => {
  it('tell each nexus of the power-on once', () => {
    const attentions = new UnitAttentions();
    expect(told(attentions, alice)).to.deep.equal([FIRST]);
    expect(told(attentions, bob)).to.deep.equal([FIRST]);
    expect(told(attentions, alice)).to.deep.equal([]);
    expect(attentions.take(alice)).to.equal(undefined);
  });

  it('tell a nexus that comes later nothing of what was before', () => {
    const attentions = new UnitAttentions();
    attentions.establish(0x2a09);
    expect(told(attentions, alice)).to.deep.equal([FIRST]);
  });

  it('tell each nexus of each event, in order, but not the one that caused it', () => {
    const attentions = new UnitAttentions();
    attentions.take(alice);
    attentions.take(bob);
    attentions.establish(0x2a01, alice);
    attentions.establish(0x2a09);
    expect(told(attentions, alice)).to.deep.equal([0x2a09]);
    expect(told(attentions, bob)).to.deep.equal([0x2a01, 0x2a09]);
    expect(told(attentions, bob)).to.deep.equal([]);
  });

  it('tell the nexus of a registration, whatever object it is by then, and no other', () => {
    const attentions = new UnitAttentions();
    const [before, after] = [iscsiNexus('iqn.test:a'), iscsiNexus('iqn.test:a')];
    const otherPort = iscsiNexus('iqn.test:a', 2);
    for (const one of [before, after, otherPort, alice]) attentions.take(one);
    attentions.establishAt(identify(before).id, 0x2a05);
    attentions.establishAt(identify(before).id, 0x2a05);
    expect(told(attentions, otherPort)).to.deep.equal([]);
    expect(told(attentions, alice)).to.deep.equal([]);
    expect(told(attentions, after)).to.deep.equal([0x2a05]);
    expect(told(attentions, after)).to.deep.equal([]);
    attentions.establishAt(identify(before).idOnAllPorts, 0x2a03);
    expect(told(attentions, otherPort)).to.deep.equal([0x2a03]);
  });

  it('tell of an event that happened several times once', () => {
    const attentions = new UnitAttentions();
    attentions.take(alice);
    for (let times = 0; times < 1000; times++) attentions.establish(0x2a09);
    expect(told(attentions, alice)).to.deep.equal([0x2a09]);
    attentions.establish(0x2a09);
    expect(told(attentions, alice)).to.deep.equal([0x2a09]);
  });
});

describe('unit attention', () => {
  it('ends the first command of each initiator, and none after it', async () => {
    const unit = new LogicalUnit(new TestDisk());
    for (const nexus of [alice, bob]) {
      await refused('6/29/00', unit, cdb.read10(0, 1), undefined, { nexus });
      await good(unit, cdb.read10(0, 1), undefined, { nexus });
    }
  });

  it('is not taken by INQUIRY, REPORT LUNS or a command the unit does not have', async () => {
    const unit = new LogicalUnit(new TestDisk());
    await good(unit, cdb.inquiry(36), undefined, { nexus: alice });
    await refused('5/20/00', unit, [0xff, 0, 0, 0, 0, 0], undefined, { nexus: alice });
    await refused('6/29/00', unit, cdb.testUnitReady(), undefined, { nexus: alice });
  });

  it('tells of a capacity that the disk changed by itself', async () => {
    const disk = new TestDisk(100);
    const unit = readyUnit(disk);
    disk.size = 200 * 512;
    await refused('6/2a/09', unit, cdb.read10(0, 1));
    await good(unit, cdb.testUnitReady());
    expect(Buffer.from(await good(unit, cdb.readCapacity10())).readUInt32BE(0)).to.equal(199);
    expect(senseOf(await run(unit, cdb.read10(200, 1)))).to.equal('5/21/00');
  });

  it('tells of a capacity change once, however it was noticed', async () => {
    const disk = new TestDisk(100);
    const unit = readyUnit(disk);
    unit.capacityChanged();
    await good(unit, cdb.testUnitReady());
    disk.size = 50 * 512;
    unit.capacityChanged();
    unit.capacityChanged();
    await refused('6/2a/09', unit, cdb.testUnitReady());
    await refused('5/21/00', unit, cdb.read10(50, 1));
  });
});
