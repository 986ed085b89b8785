import { expect } from 'chai';
import { commandTable } from '../../src/scsi/command-table.js';

/** SPC-4 table 65 and SBC-3 table 13: allowed with every type of reservation, whoever sends it. */
const always = [
  'TEST UNIT READY',
  'REQUEST SENSE',
  'INQUIRY',
  'LOG SENSE',
  'READ CAPACITY(10)',
  'READ CAPACITY(16)',
  'REPORT IDENTIFYING INFORMATION',
  'REPORT LUNS',
  'REPORT TARGET PORT GROUPS',
];
/** The same tables: allowed with write exclusive types. */
const whereReadsAre = [
  /^READ\(/,
  /^VERIFY\(/,
  /^PRE-FETCH\(/,
  /^GET LBA STATUS\(/,
  /^READ DEFECT DATA\(/,
  /^MODE SENSE\(/,
  /^RECEIVE DIAGNOSTIC RESULTS$/,
  /^RECEIVE (COPY|ROD TOKEN) /,
  /^POPULATE TOKEN$/,
  /^REPORT SUPPORTED /,
];
/** By their fields: allowed always where they start the unit, or allow removal. */
const byFields = ['START STOP UNIT', 'PREVENT ALLOW MEDIUM REMOVAL'];
const ofReservations = /^(RESERVE|RELEASE|PERSISTENT RESERVE (IN|OUT))\b/;

function expected(name: string): string {
  if (byFields.includes(name)) return 'function';
  if (ofReservations.test(name)) return 'own';
  if (always.includes(name)) return 'always';
  return whereReadsAre.some((pattern) => pattern.test(name)) ? 'read' : 'write';
}

describe('what reservations of others do to a command', () => {
  for (const { name, reservation } of commandTable) {
    it(`is what the standards say: ${name}`, () => {
      expect(typeof reservation === 'function' ? 'function' : reservation).to.equal(expected(name));
    });
  }

  it('depends on what START STOP UNIT and PREVENT ALLOW MEDIUM REMOVAL ask for', () => {
    const of = (name: string, byte4: number): unknown => {
      const { reservation } = commandTable.find((row) => row.name === name)!;
      return typeof reservation === 'function' && reservation(Uint8Array.of(0, 0, 0, 0, byte4, 0));
    };
    expect([0x00, 0x01, 0x02, 0x03, 0x11, 0x30].map((byte) => of('START STOP UNIT', byte))).to.deep.equal([
      'write',
      'always',
      'write',
      'always',
      'write',
      'write',
    ]);
    expect([0x00, 0x01].map((byte) => of('PREVENT ALLOW MEDIUM REMOVAL', byte))).to.deep.equal([
      'always',
      'write',
    ]);
  });
});
