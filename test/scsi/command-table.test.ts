import { expect } from 'chai';
import type { CommandDefinition } from '../../src/scsi/command-definition.js';
import { commandTable } from '../../src/scsi/command-table.js';
import { CommandSet } from '../../src/scsi/command-set.js';
import type { LogicalUnitOptions } from '../../src/scsi/logical-unit-options.js';
import { TargetPortGroups } from '../../src/scsi/target-port-groups.js';
import { CapableDisk } from './support/disk.js';
import { readyUnit, refused, run, senseOf, submit, TestCommand } from './support/unit.js';

/** CDB length by the group code, bits 7..5 of the operation code (SPC-4 4.2.5.1). */
const lengthOfGroup = [6, 10, 10, undefined, 16, 12, undefined, undefined];

const VARIABLE_LENGTH = 0x7f;

/** A CDB with nothing but what tells the command. */
function emptyCdb({ opcode, serviceAction = 0, usage }: CommandDefinition): Uint8Array {
  const cdb = new Uint8Array(usage.length);
  cdb[0] = opcode;
  if (opcode !== VARIABLE_LENGTH) cdb[1] = serviceAction;
  else cdb.set([usage.length - 8, serviceAction >> 8, serviceAction & 0xff], 7);
  return cdb;
}

/** What makes a unit have every command of the table. */
const everything: LogicalUnitOptions = {
  longCommands: true,
  removable: true,
  portGroups: new TargetPortGroups([{ relativeId: 1, group: 1, name: 'one' }]),
};

describe('the command table', () => {
  it('has an entry once, and no two with the same name', () => {
    const keys = commandTable.map(({ opcode, serviceAction }) => `${opcode}/${serviceAction}`);
    expect(new Set(keys).size).to.equal(keys.length);
    expect(new Set(commandTable.map(({ name }) => name)).size).to.equal(commandTable.length);
  });

  for (const definition of commandTable) {
    const { name, opcode, serviceAction, usage, medium, ignoresUnitAttention } = definition;
    describe(name, () => {
      const cdb = emptyCdb(definition);
      const variable = opcode === VARIABLE_LENGTH;

      it('has the usage data and the CDB length of its operation code', () => {
        expect(usage).to.have.length(variable ? 32 : lengthOfGroup[opcode >> 5]!);
        expect(usage[0]).to.equal(opcode);
        if (variable) expect(usage.slice(7, 10)).to.deep.equal([...cdb.subarray(7, 10)]);
        else if (serviceAction !== undefined) expect(usage[1] & 0x1f).to.equal(serviceAction);
        expect(usage.every((byte) => byte >= 0 && byte <= 0xff)).to.equal(true);
        if (definition.address) expect(definition.address.cdbLength).to.equal(usage.length);
        expect(definition.reference).to.match(/^S[PB]C-\d \d+(\.\d+)+$/);
      });

      it('is refused when its CDB is cut, whatever bytes an earlier one left', async () => {
        const disk = new CapableDisk();
        const unit = readyUnit(disk, everything);
        for (let length = 1; length < usage.length; length++) {
          const command = new TestCommand(cdb.subarray(0, length));
          expect(senseOf(await submit(unit, command)), `${length} bytes`).to.equal('5/24/00');
        }
        expect(disk.calls).to.deep.equal([]);
      });

      it('is refused with NACA', async () => {
        const control = variable ? 1 : usage.length - 1;
        const unit = readyUnit(new CapableDisk(), everything);
        const { field } = await refused('5/24/00', unit, cdb.with(control, 0x04));
        expect(field).to.deep.equal({ inCdb: true, byte: control, bit: 2 });
      });

      it(`is ${medium ? 'refused' : 'not refused'} when the unit is stopped`, async () => {
        const unit = readyUnit(new CapableDisk(), everything);
        unit.medium.power = 'stopped';
        const answer = senseOf(await run(unit, cdb));
        if (medium) expect(answer).to.equal('2/04/02');
        else expect(answer).not.to.match(/^2/);
      });

      it(`${ignoresUnitAttention ? 'does not report' : 'reports'} a pending unit attention`, async () => {
        const unit = readyUnit(new CapableDisk(), everything);
        const answer = senseOf(await run(unit, cdb, undefined, { nexus: { name: 'new' } }));
        if (ignoresUnitAttention) expect(answer).not.to.match(/^6/);
        else expect(answer).to.equal('6/29/00');
      });
    });
  }

  it('answers each operation code it does not have with 05/20/00', async () => {
    const unit = readyUnit(new CapableDisk(), everything);
    const known = new Set(commandTable.map(({ opcode }) => opcode));
    for (let opcode = 0; opcode < 256; opcode++) {
      if (known.has(opcode)) continue;
      const { field } = await refused('5/20/00', unit, [opcode, ...new Array<number>(15).fill(0)]);
      expect(field).to.deep.equal({ inCdb: true, byte: 0 });
    }
  });
});

describe('CommandSet', () => {
  const [row] = commandTable;
  const withAction = commandTable.find(({ serviceAction }) => serviceAction !== undefined)!;

  it('finds by operation code, and by service action where there are some', () => {
    const set = new CommandSet(commandTable);
    expect(set.find(row.opcode, 0x1f)).to.equal(row);
    expect(set.find(withAction.opcode, withAction.serviceAction! | 0xe0)).to.equal(withAction);
    expect(set.find(withAction.opcode, 0x1e)).to.equal(undefined);
    expect(set.find(0xff, 0)).to.equal(undefined);
    expect(set.hasServiceActions(withAction.opcode)).to.equal(true);
    expect(set.hasServiceActions(row.opcode)).to.equal(false);
    expect(set.hasServiceActions(0xff)).to.equal(undefined);
  });

  it('finds the 16 bits of service action in a variable length CDB', () => {
    const set = new CommandSet(commandTable);
    for (const definition of commandTable) {
      expect(set.decode(emptyCdb(definition)), definition.name).to.equal(definition);
    }
    const unknown = emptyCdb(set.find(VARIABLE_LENGTH, 0x09)!).with(8, 1);
    expect(set.decode(unknown)).to.equal(undefined);
  });

  it('takes several service actions of one operation code', () => {
    const another = { ...withAction, serviceAction: 0x1e, name: 'ANOTHER' };
    const set = new CommandSet([withAction, another]);
    expect(set.find(withAction.opcode, 0x1e)).to.equal(another);
    expect(set.find(withAction.opcode, withAction.serviceAction!)).to.equal(withAction);
  });

  it('does not take two commands for one place', () => {
    expect(() => new CommandSet([row, { ...row, name: 'TWIN' }])).to.throw('TWIN is taken');
    expect(() => new CommandSet([withAction, { ...withAction, name: 'TWIN' }])).to.throw('TWIN is taken');
    expect(() => new CommandSet([row, { ...row, serviceAction: 1, name: 'TWIN' }])).to.throw('TWIN is taken');
    expect(
      () => new CommandSet([withAction, { ...withAction, serviceAction: undefined, name: 'TWIN' }]),
    ).to.throw('TWIN is taken');
  });
});
