import { expect } from 'chai';
import fc from 'fast-check';
import * as cdb from '../../../src/scsi/cdb.js';
import type { Extent } from '../../../src/scsi/disk.js';
import { diskWith, TestDisk, ThinDisk } from '../support/disk.js';
import { good, readyUnit, refused } from '../support/unit.js';

interface Run {
  lba: number;
  blocks: number;
  mapped: boolean;
}

function parse(bytes: Uint8Array): Run[] {
  const data = Buffer.from(bytes);
  expect(data.readUInt32BE(0)).to.equal(data.length - 4);
  const runs: Run[] = [];
  for (let at = 8; at < data.length; at += 16) {
    expect(data[at + 12]).to.be.within(0, 1);
    runs.push({
      lba: Number(data.readBigUInt64BE(at)),
      blocks: data.readUInt32BE(at + 8),
      mapped: data[at + 12] === 0,
    });
  }
  return runs;
}

/** A disk whose storage is told in `answers`, at most `pieces` of them at a time. */
function withExtents(blocks: number, holes: readonly boolean[], unit: number, pieces: number): ThinDisk {
  return diskWith(new ThinDisk(blocks), {
    extents(offset, length) {
      const extents: Extent[] = [];
      const end = offset + length;
      for (let at = offset; at < end && extents.length < pieces;) {
        const index = Math.floor(at / unit);
        const next = Math.min((index + 1) * unit, end);
        extents.push({ offset: at, length: next - at, hole: holes[index] ?? false });
        at = next;
      }
      return Promise.resolve(extents);
    },
  });
}

describe('GET LBA STATUS', () => {
  for (const [width, getLbaStatus, type] of [
    ['16', cdb.getLbaStatus16, 14],
    ['32', cdb.getLbaStatus32, 10],
  ] as const) {
    it(`of ${width} bytes calls a disk that does not tell mapped, to its end`, async () => {
      const unit = readyUnit(new TestDisk(100), { longCommands: true });
      expect(parse(await good(unit, getLbaStatus(0, 255)))).to.deep.equal([
        { lba: 0, blocks: 100, mapped: true },
      ]);
      expect(parse(await good(unit, getLbaStatus(99, 24)))).to.deep.equal([
        { lba: 99, blocks: 1, mapped: true },
      ]);
    });

    it(`of ${width} bytes refuses what is not on the disk, and other report types`, async () => {
      const unit = readyUnit(new TestDisk(100), { longCommands: true });
      for (const lba of [100, 101, Number.MAX_SAFE_INTEGER])
        await refused('5/21/00', unit, getLbaStatus(lba, 24));
      await refused(
        '5/21/00',
        unit,
        getLbaStatus(0, 24).fill(0xff, width === '32' ? 12 : 2, width === '32' ? 20 : 10),
      );
      expect((await refused('5/24/00', unit, getLbaStatus(0, 24).with(type, 2))).field).to.include({
        byte: type,
      });
    });
  }

  it('tells which blocks have storage, whatever pieces the disk answers in', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.boolean(), { minLength: 1, maxLength: 40 }),
        // Not of whole blocks: a block is a hole only where all of it is.
        fc.constantFrom(256, 512, 768, 1024, 4096),
        fc.integer({ min: 1, max: 5 }),
        fc.nat(63),
        async (holes, unit, pieces, lba) => {
          const disk = withExtents(64, holes, unit, pieces);
          const runs = parse(await good(readyUnit(disk), cdb.getLbaStatus16(lba, 65536)));
          let next = lba;
          for (const run of runs) {
            expect(run.lba).to.equal(next);
            expect(run.blocks).to.be.above(0);
            for (let block = run.lba; block < run.lba + run.blocks; block++) {
              const units = [];
              for (let at = block * 512; at < (block + 1) * 512; at += 256) units.push(Math.floor(at / unit));
              const hole = units.every((index) => holes[index] ?? false);
              // Pieces that end within a block may hide that it is a hole, but never the opposite.
              if (unit % 512 === 0) expect(run.mapped, `block ${block}`).to.equal(!hole);
              else if (!hole) expect(run.mapped, `block ${block}`).to.equal(true);
            }
            next += run.blocks;
          }
          expect(next).to.equal(64);
          if (unit % 512 === 0) {
            runs.reduce((before, run) => (expect(run.mapped).not.to.equal(before.mapped), run));
          }
        },
      ),
    );
  });

  it('gives as many descriptors as there is room for, and at least one', async () => {
    const holes = Array.from({ length: 64 }, (_, at) => at % 2 === 1);
    const unit = readyUnit(withExtents(64, holes, 512, 3));
    expect(parse(await good(unit, cdb.getLbaStatus16(0, 8 + 16 * 5)))).to.have.length(5);
    expect(await good(unit, cdb.getLbaStatus16(0, 4))).to.have.length(4);
    expect(parse(await good(unit, cdb.getLbaStatus16(1, 24)))).to.deep.equal([
      { lba: 1, blocks: 1, mapped: false },
    ]);
  });

  it('does not hang on a disk whose answers lead nowhere', async () => {
    for (const extents of [
      () => [],
      (offset: number) => [{ offset, length: 0, hole: true }],
      (offset: number) => [{ offset, length: 1, hole: true }],
    ]) {
      const unit = readyUnit(diskWith(new ThinDisk(100_000), { extents }));
      const [{ lba, mapped }] = parse(await good(unit, cdb.getLbaStatus16(5, 24)));
      expect([lba, mapped]).to.deep.equal([5, true]);
    }
  });

  it('cuts runs of more than 32 bits of blocks', async () => {
    const size = 6e9 * 512;
    const unit = readyUnit(diskWith(new TestDisk(), { size }));
    expect(parse(await good(unit, cdb.getLbaStatus16(0, 255)))).to.deep.equal([
      { lba: 0, blocks: 0xffff_ffff, mapped: true },
      { lba: 0xffff_ffff, blocks: 6e9 - 0xffff_ffff, mapped: true },
    ]);
  });
});
