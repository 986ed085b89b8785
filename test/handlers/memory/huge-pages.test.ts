import { expect } from 'chai';
import { HugePages } from '../../../src/handlers/memory/huge-pages.js';
import type { Slab } from '../../../src/handlers/memory/slab.js';

/** A slab that notes when it is put into a huge page, which takes until `end` is called. */
class SlowSlab {
  begun = 0;
  end!: (collapsed: boolean) => void;

  collapse(): Promise<boolean> {
    this.begun++;
    return new Promise((resolve) => (this.end = resolve));
  }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('HugePages', () => {
  const slabs = (): SlowSlab[] => Array.from({ length: 3 }, () => new SlowSlab());
  const add = (pages: HugePages, all: SlowSlab[]): void =>
    all.forEach((slab) => pages.add(slab as unknown as Slab));

  it('takes full slabs one after the other, each once', async () => {
    const pages = new HugePages();
    const all = slabs();
    add(pages, all);
    add(pages, all);
    expect(all.map(({ begun }) => begun)).to.deep.equal([1, 0, 0]);
    for (const slab of all) {
      slab.end(true);
      await turn();
    }
    add(pages, all);
    await turn();
    expect(all.map(({ begun }) => begun)).to.deep.equal([1, 1, 1]);
  });

  it('leaves out what is not full any more, and takes what comes later', async () => {
    const pages = new HugePages();
    const [first, second, third] = slabs();
    add(pages, [first, second]);
    pages.remove(second as unknown as Slab);
    first.end(true);
    await turn();
    add(pages, [third]);
    expect([second.begun, third.begun]).to.deep.equal([0, 1]);
  });

  it('asks no more where the machine has none', async () => {
    const pages = new HugePages();
    const [first, second, third] = slabs();
    add(pages, [first, second]);
    first.end(false);
    await turn();
    add(pages, [third]);
    expect([second.begun, third.begun]).to.deep.equal([0, 0]);
  });
});
