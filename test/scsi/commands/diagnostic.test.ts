import { expect } from 'chai';
import * as cdb from '../../../src/scsi/cdb.js';
import { diskWith, TestDisk } from '../support/disk.js';
import { good, readyUnit, refused } from '../support/unit.js';

const sendDiagnostic = (flags: number, length = 0): number[] => [0x1d, flags, 0, 0, length, 0];

describe('SEND DIAGNOSTIC', () => {
  for (const [name, flags] of [
    ['default', 0x04],
    ['short foreground', 0xa0],
    ['extended foreground', 0xc0],
  ] as const) {
    it(`reads a block as its ${name} self-test`, async () => {
      const disk = new TestDisk();
      await good(readyUnit(disk), sendDiagnostic(flags));
      expect(disk.calls).to.deep.equal(['read 0+512']);
    });
  }

  it('tells a self-test that failed, at once or later', async () => {
    const failure = new Error('broken');
    for (const read of [
      () => Promise.reject(failure),
      () => {
        throw failure;
      },
    ]) {
      await refused('4/3e/03', readyUnit(diskWith(new TestDisk(), { read })), cdb.selfTest());
    }
  });

  it('does not test a medium that is not there', async () => {
    const unit = readyUnit(new TestDisk(), { removable: true });
    unit.medium.eject();
    await refused('2/3a/00', unit, cdb.selfTest());
  });

  it('does nothing where nothing is asked', async () => {
    const disk = new TestDisk();
    await good(readyUnit(disk), sendDiagnostic(0));
    await good(readyUnit(disk), sendDiagnostic(0x10, 4), new Uint8Array(4));
    expect(disk.calls).to.deep.equal([]);
  });

  it('refuses self-tests in the background, and parameters that mean nothing', async () => {
    const unit = readyUnit(new TestDisk());
    for (const code of [1, 2, 3, 4, 7]) await refused('5/24/00', unit, sendDiagnostic(code << 5));
    await refused('5/24/00', unit, sendDiagnostic(0xa4));
    await refused('5/24/00', unit, sendDiagnostic(0x14, 4), new Uint8Array(4));
    await refused('5/24/00', unit, sendDiagnostic(0x00, 4), new Uint8Array(4));
    await refused('5/26/00', unit, sendDiagnostic(0x10, 4), Uint8Array.of(0x40, 0, 0, 0));
    await refused('5/26/00', unit, sendDiagnostic(0x10, 5), Uint8Array.of(0, 0, 0, 1, 0));
  });
});

describe('RECEIVE DIAGNOSTIC RESULTS', () => {
  it('lists the one page there is', async () => {
    const unit = readyUnit(new TestDisk());
    for (const command of [cdb.receiveDiagnosticResults(0), [0x1c, 0, 0, 0, 255, 0]]) {
      expect([...(await good(unit, command))]).to.deep.equal([0, 0, 0, 1, 0]);
    }
    await refused('5/24/00', unit, cdb.receiveDiagnosticResults(0x40));
    await refused('5/24/00', unit, [0x1c, 0, 0x40, 0, 255, 0]);
  });
});

describe('REPORT SUPPORTED TASK MANAGEMENT FUNCTIONS', () => {
  it('lists what a logical unit does', async () => {
    const unit = readyUnit(new TestDisk());
    expect([...(await good(unit, cdb.reportSupportedTaskManagementFunctions()))]).to.deep.equal([
      0xda, 0, 0, 0,
    ]);
    const extended = await good(unit, [0xa3, 0x0d, 0x80, 0, 0, 0, 0, 0, 0, 255, 0, 0]);
    expect([...extended]).to.deep.equal([0xda, 0, 0, 12, ...new Array<number>(12).fill(0)]);
    await refused('5/24/00', unit, cdb.reportSupportedTaskManagementFunctions(3));
  });
});
