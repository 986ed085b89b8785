import { expect } from 'chai';
import fc from 'fast-check';
import { DataArea, type Blocks } from '../../src/testing/data-area.js';

describe('data area of the emulated kernel', () => {
  it('hands out the lowest free blocks first', () => {
    const area = new DataArea(1000, 512, 8);
    const first = area.allocate(1024)!;
    expect(area.allocate(1)).to.deep.equal([2]);
    area.release(first);
    expect(area.allocate(1536)).to.deep.equal([0, 1, 3]);
    expect(area.free).to.equal(4);
  });

  it('has nothing for a command that needs more than is free, and takes nothing for it', () => {
    const area = new DataArea(0, 512, 4);
    area.allocate(512);
    expect(area.allocate(1537)).to.equal(undefined);
    expect(area.free).to.equal(3);
    expect(area.allocate(1536)).to.deep.equal([1, 2, 3]);
    expect(area.allocate(0)).to.deep.equal([]);
  });

  it('merges neighbours into one run, and ends the last with the data', () => {
    const area = new DataArea(1000, 512, 8);
    expect(area.runs([0, 1, 4, 5, 7], 512 * 4 + 10)).to.deep.equal([
      { offset: 1000, length: 1024 },
      { offset: 1000 + 4 * 512, length: 1024 },
      { offset: 1000 + 7 * 512, length: 10 },
    ]);
    expect(area.runs([], 0)).to.deep.equal([]);
  });

  it('fragmented, hands out blocks that do not touch', () => {
    const area = new DataArea(0, 512, 8, true);
    const blocks = area.allocate(512 * 4)!;
    expect(blocks).to.deep.equal([0, 2, 4, 6]);
    expect(area.runs(blocks, 512 * 4)).to.have.length(4);
  });

  it('never hands out a block twice, and loses none', () => {
    const step = fc.oneof(
      fc.record({ bytes: fc.nat(3000) }),
      fc.record({ release: fc.nat(20) }),
    ) as fc.Arbitrary<{ bytes?: number; release?: number }>;
    fc.assert(
      fc.property(fc.boolean(), fc.array(step, { maxLength: 60 }), (fragmented, steps) => {
        const area = new DataArea(0, 512, 16, fragmented);
        const held: Blocks[] = [];
        for (const { bytes, release = 0 } of steps) {
          if (bytes !== undefined) {
            const free = area.free;
            const blocks = area.allocate(bytes);
            expect(blocks === undefined).to.equal(Math.ceil(bytes / 512) > free);
            if (blocks) held.push(blocks);
          } else {
            const [blocks] = held.splice(release % (held.length || 1), 1);
            if (blocks) area.release(blocks);
          }
          const taken = held.flat();
          expect(new Set(taken).size).to.equal(taken.length);
          expect(area.free + taken.length).to.equal(16);
        }
      }),
      { numRuns: 300 },
    );
  });
});
