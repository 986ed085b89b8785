import { expect } from 'chai';
import * as cdb from '../../../src/scsi/cdb.js';
import { decodeSense } from '../../../src/scsi/sense-data.js';
import { diskWith, pattern, TestDisk, ThinDisk } from '../support/disk.js';
import { Deferred, good, readyUnit, refused, run, senseOf } from '../support/unit.js';

const isZero = ({ bytes }: TestDisk): boolean => bytes.every((byte) => byte === 0);
const requestSense = Uint8Array.of(0x03, 0, 0, 0, 252, 0);

function full<Base extends TestDisk>(disk: Base): Base {
  disk.bytes.set(pattern(disk.size));
  return disk;
}

describe('FORMAT UNIT', () => {
  it('makes every kind of disk read as zeroes, and stable', async () => {
    const disks: [TestDisk, string[]][] = [
      [full(new TestDisk(5000)), ['write 0+1048576', 'write 1048576+1048576', 'write 2097152+462848']],
      [full(new ThinDisk(5000)), ['unmap 0+2560000']],
    ];
    for (const [disk, calls] of disks) {
      await good(readyUnit(disk), cdb.formatUnit());
      expect(disk.calls).to.deep.equal([...calls, 'flush']);
      expect(isZero(disk)).to.equal(true);
    }
    const zeroing = full(new TestDisk());
    const unit = readyUnit(
      diskWith(zeroing, {
        writeZeroes: (offset, length) => void zeroing.bytes.fill(0, offset, offset + length),
      }),
    );
    await good(unit, cdb.formatUnit());
    expect(isZero(zeroing)).to.equal(true);
    expect(zeroing.calls).to.deep.equal(['flush']);
  });

  it('does not take deallocated for zero where the disk does not', async () => {
    const disk = diskWith(full(new ThinDisk(100)), { unmapReadsZeroes: false });
    await good(readyUnit(disk), cdb.formatUnit());
    expect(disk.calls).to.deep.equal(['write 0+51200', 'unmap 0+51200', 'flush']);
  });

  it('takes a parameter list with nothing in it', async () => {
    const disk = full(new TestDisk());
    const unit = readyUnit(disk);
    await good(unit, cdb.formatUnit(true), cdb.formatParameters());
    // FOV with DPRY, DCRT and STPF; a long list; the defect list is complete.
    await good(unit, Uint8Array.of(4, 0x18, 0, 0, 0, 0), Uint8Array.of(0, 0xf0, 0, 0));
    await good(unit, Uint8Array.of(4, 0x30, 0, 0, 0, 0), new Uint8Array(8));
    expect(isZero(disk)).to.equal(true);
  });

  it('refuses what it cannot do, and does nothing', async () => {
    const disk = full(new TestDisk());
    const unit = readyUnit(disk);
    for (const [flags, bit] of [
      [0x40, 7],
      [0x80, 7],
      [0x20, 4],
      [0x08, 4],
      [0x04, 4],
    ]) {
      const { field } = await refused('5/24/00', unit, [4, flags, 0, 0, 0, 0]);
      expect(field).to.include({ byte: 1, bit });
    }
    const lists: [number, number[], number][] = [
      [0x10, [1, 0, 0, 0], 0],
      [0x10, [0, 0x40, 0, 0], 1],
      [0x10, [0, 0x88, 0, 0], 1],
      [0x10, [0, 0, 0, 4], 2],
      [0x30, [0, 0, 0, 1, 0, 0, 0, 0], 3],
      [0x30, [0, 0, 0, 0, 0, 0, 1, 0], 4],
    ];
    for (const [flags, list, byte] of lists) {
      const { field } = await refused('5/26/00', unit, [4, flags, 0, 0, 0, 0], Uint8Array.from(list));
      expect(field).to.include({ inCdb: false, byte });
    }
    await refused('5/0e/03', unit, cdb.formatUnit(true), new Uint8Array(3));
    const readOnly = diskWith(full(new TestDisk()), { readOnly: true });
    await refused('7/27/00', readyUnit(readOnly), cdb.formatUnit());
    expect([...disk.calls, ...readOnly.calls]).to.deep.equal([]);
  });

  it('with IMMED goes on in the background, and tells how far it is', async () => {
    const turns = [new Deferred(), new Deferred()];
    let turn = 0;
    const disk = full(new TestDisk(4096));
    const unit = readyUnit(disk, { pause: () => turns[turn++]?.promise });
    await good(unit, cdb.formatUnit(true), cdb.formatParameters(true));
    while (turn === 0) await Promise.resolve();
    for (const command of [cdb.testUnitReady(), cdb.read10(0, 1), cdb.formatUnit(), [0x1b, 0, 0, 0, 1, 0]]) {
      expect(await refused('2/04/04', unit, command)).to.include({ progress: 0x8000 });
    }
    await good(unit, cdb.inquiry(36));
    await good(unit, cdb.readCapacity16());
    const told = decodeSense(await good(unit, requestSense));
    expect(told).to.include({ key: 2, code: 0x0404, progress: 0x8000 });
    turns.forEach(({ resolve }) => resolve());
    while (unit.background.running) await Promise.resolve();
    await good(unit, cdb.testUnitReady());
    expect(decodeSense(await good(unit, requestSense))).to.include({ key: 0, code: 0 });
    expect(isZero(disk)).to.equal(true);
  });

  it('that failed leaves a medium to be formatted again', async () => {
    let broken = true;
    const disk = full(new TestDisk());
    const unit = readyUnit(
      diskWith(disk, {
        write(...args) {
          if (broken) throw Object.assign(new Error('broken'), { code: 'EIO' });
          return TestDisk.prototype.write.apply(disk, args);
        },
      }),
    );
    await refused('3/31/00', unit, cdb.formatUnit());
    await refused('3/31/00', unit, cdb.read10(0, 1));
    await good(unit, cdb.inquiry(36));
    broken = false;
    await good(unit, cdb.formatUnit());
    await good(unit, cdb.read10(0, 1));
  });

  it('goes on where the command is aborted, and ends with the unit', async () => {
    const held = new Deferred();
    const unit = readyUnit(new TestDisk(8192), { pause: () => held.promise });
    const controller = new AbortController();
    const response = run(unit, cdb.formatUnit(), undefined, { signal: controller.signal });
    controller.abort();
    expect(senseOf(await response)).to.equal('b/00/00');
    await refused('2/04/04', unit, cdb.testUnitReady());
    const closed = unit.close();
    held.resolve();
    await closed;
    expect(unit.background.running).to.equal(undefined);
  });

  it('waits for the writes that run', async () => {
    const writing = new Deferred();
    let first = true;
    const disk = new TestDisk(100);
    const unit = readyUnit(
      diskWith(disk, {
        write: async (...args) => {
          if (first) {
            first = false;
            await writing.promise;
          }
          return TestDisk.prototype.write.apply(disk, args);
        },
      }),
    );
    const write = run(unit, cdb.write10(3, 1), new Uint8Array(512).fill(9));
    const format = run(unit, cdb.formatUnit());
    await Promise.resolve();
    writing.resolve();
    expect([(await write).status, (await format).status]).to.deep.equal([0, 0]);
    expect(isZero(disk)).to.equal(true);
  });
});
