import { expect } from 'chai';
import fc from 'fast-check';
import { Slab } from '../../../src/handlers/memory/slab.js';
import { SlabTable } from '../../../src/handlers/memory/slab-table.js';

describe('SlabTable', () => {
  it('has what a map has, near and far', () => {
    // Some that share a group, and the last one of a disk of 8 PiB.
    const indexes = [0, 1, 511, 512, 513, 70_000, 2 ** 32 - 1];
    const slab = new Slab();
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...indexes), { maxLength: 30 }), (turned) => {
        const table = new SlabTable();
        const present = new Set<number>();
        for (const index of turned) {
          if (present.delete(index)) table.delete(index);
          else {
            present.add(index);
            table.add(index, slab);
          }
        }
        expect(table.size).to.equal(present.size);
        expect([...table.indexes()]).to.have.members([...present]);
        for (const index of indexes) expect(table.get(index)).to.equal(present.has(index) ? slab : undefined);
      }),
    );
  });

  it('may lose slabs while it is gone through', () => {
    const table = new SlabTable();
    for (const index of [3, 4, 1000]) table.add(index, new Slab());
    for (const index of table.indexes()) table.delete(index);
    expect(table.size).to.equal(0);
    expect([...table.indexes()]).to.deep.equal([]);
  });
});
