import { expect } from 'chai';
import fc from 'fast-check';
import * as cdb from '../../src/scsi/cdb.js';
import type { LogicalUnit } from '../../src/scsi/logical-unit.js';
import { extendedCopy, targetsOf, tokenOf, unitsOf, writeToken } from './support/copy.js';
import { diskWith, pattern, TestDisk } from './support/disk.js';
import { good } from './support/unit.js';

/*
 * Copies at random between two logical units of other block sizes, against arrays of bytes: what EXTENDED COPY
 * copies, what a token stands for and when it stops to, and that nothing else changes.
 */

const SIZE = 64 * 1024;
const BLOCK = [512, 4096] as const;
const initial = [pattern(SIZE, 1), pattern(SIZE, 2)];

interface Token {
  readonly bytes: Uint8Array;
  readonly unit: number;
  readonly ranges: readonly { offset: number; length: number }[];
  /** The data at the time it was made. */
  readonly data: Uint8Array;
  valid: boolean;
}

class Model {
  readonly memory = initial.map((bytes) => bytes.slice());
  readonly tokens: Token[] = [];

  write(unit: number, offset: number, data: Uint8Array): void {
    this.memory[unit].set(data, offset);
    for (const token of this.tokens) {
      if (this.overlaps(token, unit, offset, data.length)) token.valid = false;
    }
  }

  overlaps(token: Token, unit: number, offset: number, length: number): boolean {
    return (
      token.unit === unit &&
      token.ranges.some((range) => range.offset < offset + length && offset < range.offset + range.length)
    );
  }
}

interface Real {
  readonly disks: readonly TestDisk[];
  readonly units: readonly LogicalUnit[];
}

type Step = (model: Model, real: Real) => Promise<void>;

const side = fc.nat(1);
/** A place on a unit, as fractions: resolved to blocks that fit when its block size is known. */
const place = fc.record({ unit: side, at: fc.nat(1000), length: fc.nat(1000) });
type Place = { unit: number; at: number; length: number };

function resolve({ unit, at, length }: Place): {
  lba: number;
  blocks: number;
  offset: number;
  bytes: number;
} {
  const block = BLOCK[unit];
  const capacity = SIZE / block;
  const lba = at % capacity;
  const blocks = Math.min(capacity - lba, 1 + (length % Math.max(1, capacity / 4)));
  return { lba, blocks, offset: lba * block, bytes: blocks * block };
}

const writeStep = fc.tuple(place, fc.nat(255)).map(([to, value]): Step => async (model, { units }) => {
  const { lba, blocks, offset, bytes } = resolve(to);
  const data = new Uint8Array(bytes).fill(value);
  await good(units[to.unit], cdb.write16(lba, blocks), data);
  model.write(to.unit, offset, data);
});

const copyStep = fc
  .tuple(place, place, fc.boolean(), fc.boolean())
  .map(([from, to, counted, askSecond]): Step => async (model, { units }) => {
    const [source, destination] = [resolve(from), resolve(to)];
    // Whole blocks of both units.
    const bytes = Math.floor(Math.min(source.bytes, destination.bytes) / 4096) * 4096;
    const places = { sourceLba: source.lba, destinationLba: destination.lba, source: 0, destination: 1 };
    const segment = counted ? { ...places, bytes } : { ...places, blocks: bytes / BLOCK[from.unit] };
    const targets = targetsOf(units[from.unit], units[to.unit]);
    const { status } = await extendedCopy(units[askSecond ? 1 : 0], { targets, segments: [segment] });
    expect(status).to.equal(0);
    const data = model.memory[from.unit].slice(source.offset, source.offset + bytes);
    if (bytes > 0) model.write(to.unit, destination.offset, data);
  });

const populateStep = fc.tuple(place, place).map(([first, second]): Step => async (model, { units }) => {
  const { unit } = first;
  const ranges = [resolve(first)];
  const more = resolve({ ...second, unit });
  if (more.lba >= ranges[0].lba + ranges[0].blocks || more.lba + more.blocks <= ranges[0].lba)
    ranges.push(more);
  const bytes = await tokenOf(units[unit], ...ranges.map(({ lba, blocks }) => ({ lba, blocks })));
  const extents = ranges.map(({ offset, bytes: length }) => ({ offset, length }));
  const data = Buffer.concat(
    extents.map(({ offset, length }) => model.memory[unit].subarray(offset, offset + length)),
  );
  model.tokens.push({ bytes, unit, ranges: extents, data, valid: true });
});

const useStep = fc
  .tuple(place, fc.nat(1000), fc.nat(5))
  .map(([to, which, skip]): Step => async (model, { units }) => {
    if (model.tokens.length === 0) return;
    const token = model.tokens[which % model.tokens.length];
    const { lba, blocks, offset, bytes } = resolve(to);
    const from = skip * BLOCK[to.unit];
    const { status } = await writeToken(units[to.unit], 2, {
      token: token.bytes,
      ranges: [{ lba, blocks }],
      offset: skip,
    });
    const left = token.data.length - from;
    const length = Math.min(bytes, Math.ceil(left / BLOCK[to.unit]) * BLOCK[to.unit]);
    if (!token.valid || left <= 0 || model.overlaps(token, to.unit, offset, length)) {
      expect(status).to.equal(2);
      return;
    }
    expect(status).to.equal(0);
    const data = new Uint8Array(length);
    data.set(token.data.subarray(from, from + length));
    model.write(to.unit, offset, data);
  });

/** Answers later, in another turn. */
function later(disk: TestDisk): TestDisk {
  return diskWith(disk, {
    read: (buffer: Uint8Array, offset: number) =>
      Promise.resolve().then(() => buffer.set(disk.bytes.subarray(offset, offset + buffer.length))),
    write: (buffer: Uint8Array, offset: number) =>
      Promise.resolve().then(() => disk.bytes.set(buffer, offset)),
  });
}

function setUp(): Real {
  const disks = BLOCK.map((block, index) => {
    const disk = new TestDisk(SIZE / block, block);
    disk.bytes = initial[index].slice();
    return disk;
  });
  return { disks, units: unitsOf([disks[0], later(disks[1])]) };
}

describe('Copies between two units', () => {
  it('do to their bytes what they do to arrays', async () => {
    const steps = fc.array(fc.oneof(writeStep, copyStep, populateStep, useStep, useStep), { maxLength: 20 });
    await fc.assert(
      fc.asyncProperty(steps, async (sequence) => {
        const [model, real] = [new Model(), setUp()];
        for (const step of sequence) await step(model, real);
        real.disks.forEach(({ bytes }, index) => {
          expect(Buffer.compare(bytes, model.memory[index]), `unit ${index}`).to.equal(0);
        });
      }),
      { numRuns: 200 },
    );
  });
});
