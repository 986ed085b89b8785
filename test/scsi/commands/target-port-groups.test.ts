import { expect } from 'chai';
import * as cdb from '../../../src/scsi/cdb.js';
import type { Nexus } from '../../../src/scsi/command.js';
import { commandTable } from '../../../src/scsi/command-table.js';
import { TargetPortGroups, type AccessState } from '../../../src/scsi/target-port-groups.js';
import { CapableDisk, TestDisk } from '../support/disk.js';
import { good, readyUnit, refused, run, senseOf } from '../support/unit.js';

const [one, two, three] = [
  { relativeId: 1, group: 1, name: 'iqn.test:target,t,0x0001' },
  { relativeId: 2, group: 1, name: 'iqn.test:target,t,0x0002' },
  { relativeId: 3, group: 7, name: 'iqn.test:target,t,0x0003' },
];

function setUp(disk: TestDisk = new TestDisk()) {
  const portGroups = new TargetPortGroups([three, one, two]);
  const unit = readyUnit(disk, { portGroups, removable: true });
  const [first, last]: Nexus[] = [
    { name: 'first', port: one },
    { name: 'last', port: three },
  ];
  for (const nexus of [first, last]) unit.attentions.take(nexus);
  return { unit, portGroups, first, last };
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const states = (...list: [number, AccessState][]) => cdb.targetPortGroupParameters(new Map(list));

describe('REPORT TARGET PORT GROUPS', () => {
  it('gives each group with its ports, as INQUIRY promises', async () => {
    const { unit, portGroups } = setUp();
    portGroups.prefer(7, true);
    const [groupOne, groupSeven] = ['008f0001000000020000000100000002', '808f000700000001' + '00000003'];
    expect(hex(await good(unit, cdb.reportTargetPortGroups()))).to.equal(`0000001c${groupOne}${groupSeven}`);
    expect(hex(await good(unit, cdb.reportTargetPortGroups(true)))).to.equal(
      `0000002010000000${groupOne}${groupSeven}`,
    );
    expect((await good(unit, cdb.inquiry(96)))[5] & 0x30).to.equal(0x30);
  });

  it('refuses reserved formats', async () => {
    const { unit } = setUp();
    expect((await refused('5/24/00', unit, [0xa3, 0x4a, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0])).field).to.include({
      byte: 1,
    });
  });

  it('is not there without groups', async () => {
    const unit = readyUnit(new TestDisk());
    await refused('5/24/00', unit, cdb.reportTargetPortGroups());
    await refused('5/20/00', unit, cdb.setTargetPortGroups(0));
    expect((await good(unit, cdb.inquiry(96)))[5] & 0x30).to.equal(0);
  });

  it('follows ports that come and go', async () => {
    const { unit, portGroups } = setUp();
    portGroups.set(new Map([[7, 'standby']]));
    portGroups.remove(three);
    portGroups.remove(three);
    expect(portGroups.allActive).to.equal(true);
    portGroups.remove(one);
    await refused('6/2a/06', unit, cdb.testUnitReady());
    expect(hex(await good(unit, cdb.reportTargetPortGroups()))).to.equal('0000000c008f00010000000100000002');
  });
});

describe('SET TARGET PORT GROUPS', () => {
  it('changes states, and tells the others', async () => {
    const { unit, portGroups, first, last } = setUp();
    const list = states([1, 'activeNonOptimized'], [7, 'unavailable']);
    await good(unit, cdb.setTargetPortGroups(list.length), list, { nexus: first });
    expect(portGroups.groups.map(({ id, state, status }) => ({ id, state, status }))).to.deep.equal([
      { id: 1, state: 'activeNonOptimized', status: 1 },
      { id: 7, state: 'unavailable', status: 1 },
    ]);
    await good(unit, cdb.testUnitReady(), undefined, { nexus: first });
    await refused('6/2a/06', unit, cdb.testUnitReady(), undefined, { nexus: last });
    await refused('2/04/0c', unit, cdb.testUnitReady(), undefined, { nexus: last });
    await good(unit, cdb.setTargetPortGroups(list.length), list, { nexus: last });
    await good(unit, cdb.testUnitReady(), undefined, { nexus: first });
  });

  it('refuses groups and states it does not have, and changes nothing', async () => {
    const { unit, portGroups } = setUp();
    const refuse = async (list: Uint8Array, byte: number) => {
      const { field } = await refused('5/26/00', unit, cdb.setTargetPortGroups(list.length), list);
      expect(field).to.include({ inCdb: false, byte });
    };
    await refuse(states([1, 'standby'], [2, 'standby']), 10);
    await refuse(states([1, 'transitioning']), 4);
    await refused('5/1a/00', unit, cdb.setTargetPortGroups(3), new Uint8Array(3));
    await refused('5/1a/00', unit, cdb.setTargetPortGroups(6), new Uint8Array(6));
    await refused('5/1a/00', unit, cdb.setTargetPortGroups(0xffff_ff00));
    await good(unit, cdb.setTargetPortGroups(0));
    expect(portGroups.groups.every(({ state }) => state === 'activeOptimized')).to.equal(true);
  });
});

describe('a target port group', () => {
  it('that does not exist cannot be changed', () => {
    const { portGroups } = setUp();
    expect(() => portGroups.set(new Map([[2, 'standby']]))).to.throw(RangeError, 'no target port group 2');
    expect(() => portGroups.prefer(2, true)).to.throw(RangeError);
  });

  for (const [state, code] of [
    ['standby', '2/04/0b'],
    ['unavailable', '2/04/0c'],
    ['transitioning', '2/04/0a'],
  ] as const) {
    it(`in state ${state} lets few commands through`, async () => {
      const disk = new CapableDisk();
      const { unit, portGroups, first, last } = setUp(disk);
      portGroups.set(new Map([[7, state]]));
      for (const nexus of [first, last]) unit.attentions.take(nexus);
      const through = new Set<string>();
      for (const { name, opcode, serviceAction, usage } of commandTable) {
        if (opcode === 0x7f) continue;
        const command = [opcode, serviceAction ?? 0, ...new Array<number>(usage.length - 2).fill(0)];
        const answer = senseOf(await run(unit, command, undefined, { nexus: last }));
        if (answer !== code) through.add(name);
      }
      expect(through).to.include.keys('INQUIRY', 'REQUEST SENSE', 'REPORT LUNS', 'REPORT TARGET PORT GROUPS');
      expect(through).to.include.keys('SET TARGET PORT GROUPS');
      expect(through.has('MODE SENSE(6)')).to.equal(state === 'standby');
      expect(through.has('PERSISTENT RESERVE IN, READ KEYS')).to.equal(state === 'standby');
      expect(through).not.to.include.keys('TEST UNIT READY', 'READ(10)', 'WRITE(10)', 'READ CAPACITY(10)');
      expect(disk.calls).to.deep.equal([]);
      await good(unit, cdb.read10(0, 1), undefined, { nexus: first, dataInLength: 512 });
    });
  }

  it('tells no unit that was closed', async () => {
    const { unit, portGroups, first } = setUp();
    await unit.close();
    portGroups.set(new Map([[1, 'activeNonOptimized']]));
    await good(unit, cdb.testUnitReady(), undefined, { nexus: first });
  });

  it('is told once for each change, also by the target itself', async () => {
    const { unit, portGroups, first } = setUp();
    portGroups.set(new Map([[1, 'activeNonOptimized']]));
    portGroups.set(new Map([[1, 'activeNonOptimized']]));
    expect(portGroups.get(1)!.status).to.equal(2);
    await refused('6/2a/06', unit, cdb.testUnitReady(), undefined, { nexus: first });
    await good(unit, cdb.testUnitReady(), undefined, { nexus: first });
  });
});
