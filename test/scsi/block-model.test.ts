import { expect } from 'chai';
import fc from 'fast-check';
import * as cdb from '../../src/scsi/cdb.js';
import type { Disk } from '../../src/scsi/disk.js';
import { serviceAction } from '../../src/scsi/opcode.js';
import { CapableDisk, diskWith, TestDisk, ThinDisk } from './support/disk.js';
import { readyUnit, run, senseOf } from './support/unit.js';

const BLOCKS = 24;
const BLOCK = 512;

/** A command, and what it makes of the model. */
interface Step {
  readonly cdb: Uint8Array;
  readonly out?: Uint8Array;
  /** @returns the sense that is expected, `status 0` where none is */
  apply(model: Uint8Array): string;
}

const done = 'status 0';
const blocksOf = (count: number, seed: number): Uint8Array =>
  Uint8Array.from({ length: count * BLOCK }, (_, at) => (at % 3 === 0 ? seed : (seed + (at >> 9)) & 0xff));

const range = fc
  .tuple(fc.nat(BLOCKS - 1), fc.integer({ min: 1, max: 6 }))
  .map(([lba, count]) => ({ lba, count: Math.min(count, BLOCKS - lba) }));
/** Few values, so that what is compared is often equal. */
const seed = fc.constantFrom(0, 0, 1, 0x80);

const writing = fc
  .tuple(
    range,
    seed,
    fc.constantFrom(
      cdb.write6,
      cdb.write10,
      cdb.write12,
      cdb.write16,
      cdb.write32,
      cdb.writeAtomic16,
      cdb.writeAndVerify10,
      cdb.writeAndVerify32,
    ),
  )
  .map(([{ lba, count }, value, build]): Step => ({
    cdb: build(lba, count),
    out: blocksOf(count, value),
    apply: (model) => (model.set(blocksOf(count, value), lba * BLOCK), done),
  }));

const oring = fc.tuple(range, seed).map(([{ lba, count }, value]): Step => ({
  cdb: cdb.orWrite16(lba, count),
  out: blocksOf(count, value),
  apply(model) {
    blocksOf(count, value).forEach((byte, at) => (model[lba * BLOCK + at] |= byte));
    return done;
  },
}));

const swapping = fc.tuple(range, seed, seed).map(([{ lba, count }, was, becomes]): Step => ({
  cdb: cdb.compareAndWrite(lba, count),
  out: Uint8Array.from([...blocksOf(count, was), ...blocksOf(count, becomes)]),
  apply(model) {
    const found = model.subarray(lba * BLOCK, (lba + count) * BLOCK);
    if (blocksOf(count, was).some((byte, at) => byte !== found[at])) return 'e/1d/00';
    found.set(blocksOf(count, becomes));
    return done;
  },
}));

const verifying = fc
  .tuple(range, seed, fc.constantFrom(cdb.verify10, cdb.verify12, cdb.verify16))
  .map(([{ lba, count }, value, build]): Step => ({
    cdb: build(lba, count, 1),
    out: blocksOf(count, value),
    apply(model) {
      const found = model.subarray(lba * BLOCK, (lba + count) * BLOCK);
      return blocksOf(count, value).every((byte, at) => byte === found[at]) ? done : 'e/1d/00';
    },
  }));

const repeating = fc
  .tuple(range, seed, fc.boolean(), fc.constantFrom(cdb.writeSame10, cdb.writeSame16, cdb.writeSame32))
  .map(([{ lba, count }, value, unmap, build]): Step => ({
    cdb: build(lba, count, { unmap }),
    out: blocksOf(1, value),
    apply(model) {
      for (let block = lba; block < lba + count; block++) model.set(blocksOf(1, value), block * BLOCK);
      return done;
    },
  }));

const unmapping = fc.array(range, { maxLength: 3 }).map((ranges): Step => {
  const list = cdb.unmapParameters(ranges.map(({ lba, count }) => ({ lba, blocks: count })));
  return {
    cdb: cdb.unmap(list.length),
    out: list,
    apply(model) {
      for (const { lba, count } of ranges) model.fill(0, lba * BLOCK, (lba + count) * BLOCK);
      return done;
    },
  };
});

const wiping = fc.tuple(fc.nat(3), fc.nat(0xff)).map(([kind, value]): Step => {
  if (kind === 0) return { cdb: cdb.formatUnit(), apply: (model) => (model.fill(0), done) };
  if (kind === 1) {
    return { cdb: cdb.sanitize(serviceAction.sanitizeBlockErase), apply: (model) => (model.fill(0), done) };
  }
  const list = cdb.overwriteParameters(Uint8Array.of(value), 2, true);
  return {
    cdb: cdb.sanitize(serviceAction.sanitizeOverwrite, { parameterListLength: list.length }),
    out: list,
    apply: (model) => (model.fill(~value & 0xff), done),
  };
});

const steps = fc.array(
  fc.oneof(
    { weight: 6, arbitrary: writing },
    { weight: 3, arbitrary: oring },
    { weight: 4, arbitrary: swapping },
    { weight: 3, arbitrary: verifying },
    { weight: 3, arbitrary: repeating },
    { weight: 2, arbitrary: unmapping },
    { weight: 1, arbitrary: wiping },
  ),
  { maxLength: 25 },
);

/** Verbs that end some turns later. */
function slow(disk: CapableDisk): CapableDisk {
  const later = async (): Promise<void> => {
    for (let wait = 0; wait < 4; wait++) await Promise.resolve();
  };
  const verbs: Partial<Disk> = {
    read: async (...args) => (await later(), TestDisk.prototype.read.apply(disk, args)),
    write: async (...args) => (await later(), TestDisk.prototype.write.apply(disk, args)),
    unmap: async (...args) => (await later(), ThinDisk.prototype.unmap.apply(disk, args)),
  };
  return diskWith(disk, verbs);
}

const disks: [string, () => CapableDisk][] = [
  ['that answers at once', () => new CapableDisk(BLOCKS)],
  ['that takes its time', () => slow(new CapableDisk(BLOCKS))],
];

describe('the block commands agree with an array of bytes', () => {
  for (const [kind, make] of disks) {
    it(`on a disk ${kind}, one after the other`, async () => {
      await fc.assert(
        fc.asyncProperty(steps, async (list) => {
          const disk = make();
          const unit = readyUnit(disk, { longCommands: true });
          const model = new Uint8Array(disk.size);
          for (const step of list) {
            const answer = senseOf(await run(unit, step.cdb, step.out));
            expect(answer).to.equal(step.apply(model));
            expect(disk.bytes).to.deep.equal(model);
          }
          const read = await run(unit, cdb.read32(0, BLOCKS));
          expect(read.dataIn).to.deep.equal(model);
        }),
        { numRuns: 150 },
      );
    });

    it(`on a disk ${kind}, all at once: the atomic ones in some order`, async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(fc.constantFrom(1, 2, 4, 8, 16), { maxLength: 12 }), async (masks) => {
          const disk = make();
          const unit = readyUnit(disk);
          // Each sets its bit, or counts: an update that was lost would be missed.
          const answers = await Promise.all(
            masks.map((mask) => run(unit, cdb.orWrite16(3, 2), new Uint8Array(2 * BLOCK).fill(mask))),
          );
          expect(answers.every(({ status }) => status === 0)).to.equal(true);
          const all = masks.reduce((sum, mask) => sum | mask, 0);
          const expected = new Uint8Array(disk.size).fill(all, 3 * BLOCK, 5 * BLOCK);
          expect(disk.bytes).to.deep.equal(expected);
        }),
        { numRuns: 50 },
      );
    });
  }
});
