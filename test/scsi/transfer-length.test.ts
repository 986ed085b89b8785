import { expect } from 'chai';
import * as cdb from '../../src/scsi/cdb.js';
import type { LogicalUnit } from '../../src/scsi/logical-unit.js';
import { CapableDisk, pattern, TestDisk } from './support/disk.js';
import { readyUnit, senseOf, submit, TestCommand } from './support/unit.js';

/** A command of a transport that makes the residual of it. */
class ResidualCommand extends TestCommand {
  transferLength?: number = -1;
  readonly reportsResidual = true;
}

function command(bytes: Uint8Array, out = 0, into = 4096): ResidualCommand {
  return new ResidualCommand(bytes, {
    out: out > 0 ? [pattern(out)] : [],
    in: into > 0 ? [new Uint8Array(into)] : [],
  });
}

const unit = (): LogicalUnit => readyUnit(new CapableDisk(), { longCommands: true });

describe('transferLength, of which transports make residuals', () => {
  const sizes: [string, Uint8Array, number, number][] = [
    ['TEST UNIT READY', cdb.testUnitReady(), 0, 0],
    ['READ(10)', cdb.read10(0, 3), 0, 1536],
    ['READ(32)', cdb.read32(0, 3), 0, 1536],
    ['READ(6) of 256 blocks', cdb.read6(0, 256), 0, 131072],
    ['WRITE(10)', cdb.write10(0, 3), 1536, 1536],
    ['WRITE(16) of nothing', cdb.write16(0, 0), 0, 0],
    ['VERIFY(10) that reads', cdb.verify10(0, 3), 0, 0],
    ['VERIFY(10) of each block', cdb.verify10(0, 2, 1), 1024, 1024],
    ['VERIFY(10) of one block', cdb.verify10(0, 2, 3), 512, 512],
    ['WRITE AND VERIFY(16)', cdb.writeAndVerify16(0, 2), 1024, 1024],
    ['WRITE SAME(16)', cdb.writeSame16(0, 2), 512, 512],
    ['WRITE SAME(16) with NDOB', cdb.writeSame16(0, 2, { ndob: true }), 0, 0],
    ['COMPARE AND WRITE', cdb.compareAndWrite(0, 1), 1024, 1024],
    ['ORWRITE(16)', cdb.orWrite16(0, 2), 1024, 1024],
    ['WRITE ATOMIC(16)', cdb.writeAtomic16(0, 2), 1024, 1024],
    ['UNMAP', cdb.unmap(24), 24, 24],
    ['READ CAPACITY(10)', cdb.readCapacity10(), 0, 8],
    ['READ CAPACITY(16) of 8 bytes', cdb.readCapacity16(8), 0, 8],
    ['INQUIRY of 36 bytes', cdb.inquiry(36), 0, 36],
    ['GET LBA STATUS(16)', cdb.getLbaStatus16(0, 255), 0, 24],
    ['READ DEFECT DATA(10)', cdb.readDefectData10(32), 0, 4],
  ];
  for (const [name, bytes, out, expected] of sizes) {
    it(`of ${name} is ${expected} bytes, however much the buffers hold`, async () => {
      for (const [more, into] of name.includes('SAME') || name.includes('COMPARE')
        ? [[0, 0]]
        : [
            [0, 0],
            [512, 4096],
          ]) {
        const given = command(bytes, out === 0 ? 0 : out + more, into);
        await submit(unit(), given);
        expect(given.transferLength).to.equal(expected);
      }
    });
  }

  it('is 0 for a command that fails before it knows', async () => {
    const given = command(cdb.read10(5000, 1));
    expect(senseOf(await submit(unit(), given))).to.equal('5/21/00');
    expect(given.transferLength).to.equal(0);
  });
});

describe('a WRITE with less Data-Out than its CDB says', () => {
  for (const [name, write] of [
    ['WRITE(10)', cdb.write10],
    ['WRITE(12)', cdb.write12],
    ['WRITE(16)', cdb.write16],
    ['WRITE(32)', cdb.write32],
    ['WRITE AND VERIFY(10)', cdb.writeAndVerify10],
    ['WRITE AND VERIFY(16)', cdb.writeAndVerify16],
  ] as const) {
    it(`${name} stores the blocks that came, where the initiator is told the residual`, async () => {
      for (const [blocks, delivered] of [
        [1, 0],
        [2, 512],
        [4, 1536],
      ]) {
        const disk = new TestDisk();
        const given = command(write(0, blocks), delivered);
        expect(senseOf(await submit(readyUnit(disk, { longCommands: true }), given))).to.equal('status 0');
        expect(given.transferLength).to.equal(blocks * 512);
        const expected = new Uint8Array(disk.size);
        expected.set(pattern(delivered));
        expect(disk.bytes).to.deep.equal(expected);
      }
    });

    it(`${name} stores no part of a block`, async () => {
      const disk = new TestDisk();
      const given = command(write(0, 1), 200);
      expect(senseOf(await submit(readyUnit(disk, { longCommands: true }), given))).to.equal('5/0e/03');
      expect(given.transferLength).to.equal(512);
      expect(disk.calls).to.deep.equal([]);
    });
  }
});
