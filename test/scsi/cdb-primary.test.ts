import { expect } from 'chai';
import fc from 'fast-check';
import * as cdb from '../../src/scsi/cdb.js';
import { commandTable } from '../../src/scsi/command-table.js';
import { CommandSet } from '../../src/scsi/command-set.js';

const commands = new CommandSet(commandTable);
const byte = fc.integer({ min: 0, max: 0xff });
const word = fc.integer({ min: 0, max: 0xffff });

/** Each bit that is set is one the command table says is evaluated. */
function checkUsage(bytes: Uint8Array, name: string): Buffer {
  const definition = commands.decode(bytes)!;
  expect(definition.name).to.equal(name);
  expect(bytes).to.have.length(definition.usage.length);
  bytes.forEach((value, at) => {
    if (at > 0) expect(value & ~definition.usage[at], `${name}, byte ${at}`).to.equal(0);
  });
  return Buffer.from(bytes);
}

describe('CDBs of the primary commands', () => {
  it('carry page, subpage, page control and lengths where SPC-4 has them', () => {
    const request = fc.record({
      page: fc.integer({ min: 0, max: 0x3f }),
      subpage: byte,
      control: fc.integer({ min: 0, max: 3 }),
    });
    fc.assert(
      fc.property(request, byte, word, word, fc.boolean(), (asked, short, long, pointer, flag) => {
        const second = (asked.control << 6) | asked.page;
        const dbd = { noBlockDescriptor: flag };
        const six = checkUsage(
          cdb.modeSense6({ ...asked, ...dbd, allocationLength: short }),
          'MODE SENSE(6)',
        );
        expect([...six.subarray(1, 5)]).to.deep.equal([flag ? 8 : 0, second, asked.subpage, short]);
        const ten = checkUsage(
          cdb.modeSense10({ ...asked, ...dbd, allocationLength: long }, !flag),
          'MODE SENSE(10)',
        );
        expect([...ten.subarray(1, 4)]).to.deep.equal([flag ? 8 : 0x10, second, asked.subpage]);
        expect(ten.readUInt16BE(7)).to.equal(long);
        const log = checkUsage(cdb.logSense({ ...asked, allocationLength: long }, pointer), 'LOG SENSE');
        expect([...log.subarray(2, 4)]).to.deep.equal([second, asked.subpage]);
        expect([log.readUInt16BE(5), log.readUInt16BE(7)]).to.deep.equal([pointer, long]);
      }),
      { numRuns: 100 },
    );
  });

  it('carry the length of their parameter list, and whether it is to be saved', () => {
    fc.assert(
      fc.property(byte, word, fc.boolean(), (short, long, save) => {
        const six = checkUsage(cdb.modeSelect6(short, save), 'MODE SELECT(6)');
        expect([six[1], six[4]]).to.deep.equal([save ? 0x11 : 0x10, short]);
        const ten = checkUsage(cdb.modeSelect10(long, save), 'MODE SELECT(10)');
        expect([ten[1], ten.readUInt16BE(7)]).to.deep.equal([save ? 0x11 : 0x10, long]);
        const groups = checkUsage(cdb.setTargetPortGroups(long), 'SET TARGET PORT GROUPS');
        expect(groups.readUInt32BE(6)).to.equal(long);
      }),
      { numRuns: 50 },
    );
  });

  it('carry their flags', () => {
    const start = cdb.startStopUnit({ start: true, loadEject: true, noFlush: true, immediate: true });
    expect([...checkUsage(start, 'START STOP UNIT')]).to.deep.equal([0x1b, 1, 0, 0, 7, 0]);
    expect(cdb.startStopUnit({ powerCondition: 3 })[4]).to.equal(0x30);
    expect(checkUsage(cdb.preventAllowMediumRemoval(true), 'PREVENT ALLOW MEDIUM REMOVAL')[4]).to.equal(1);
    expect(checkUsage(cdb.requestSense(18, true), 'REQUEST SENSE')[1]).to.equal(1);
    expect(checkUsage(cdb.selfTest(), 'SEND DIAGNOSTIC')[1]).to.equal(4);
    expect(checkUsage(cdb.resetLog(2), 'LOG SELECT')[2]).to.equal(0x42);
    checkUsage(cdb.receiveDiagnosticResults(0), 'RECEIVE DIAGNOSTIC RESULTS');
    checkUsage(cdb.reportTargetPortGroups(true), 'REPORT TARGET PORT GROUPS');
    checkUsage(cdb.reportSupportedTaskManagementFunctions(), 'REPORT SUPPORTED TASK MANAGEMENT FUNCTIONS');
  });
});
