import { expect } from 'chai';
import { PAGE_SIZE, PageStore } from '../../../src/handlers/memory/page-store.js';
import { SLAB_SIZE } from '../../../src/handlers/memory/slab.js';
import { expectBytes, pattern } from '../../conformance/support.js';

function contents(store: PageStore, offset: number, length: number): Uint8Array {
  const buffer = new Uint8Array(length).fill(0xee);
  store.read(buffer, offset);
  return buffer;
}

describe('PageStore', () => {
  it('allocates the pages that are written, and none by reading', () => {
    const store = new PageStore();
    contents(store, 0, 10 * PAGE_SIZE);
    expect(store.allocated).to.equal(0);
    store.write(pattern(512, 1), 5 * PAGE_SIZE - 256);
    expect(store.allocated).to.equal(2 * PAGE_SIZE);
    store.write(pattern(512, 2), 5 * PAGE_SIZE);
    expect(store.allocated).to.equal(2 * PAGE_SIZE);
  });

  it('reads parts of pages of any alignment', () => {
    const store = new PageStore();
    const all = pattern(3 * PAGE_SIZE, 3);
    store.write(all, 0);
    for (const [offset, length] of [
      [0, PAGE_SIZE],
      [4096, 8192],
      [512, 4096],
      [4096, 512],
      [PAGE_SIZE - 1, 2],
      [PAGE_SIZE - 4096, PAGE_SIZE + 8192],
      [7, 3 * PAGE_SIZE - 14],
    ]) {
      expectBytes(
        contents(store, offset, length),
        all.subarray(offset, offset + length),
        `${length} at ${offset}`,
      );
    }
  });

  it('sees a later write through a part that was read before', () => {
    const store = new PageStore();
    store.write(pattern(PAGE_SIZE, 1), 0);
    contents(store, 4096, 4096);
    store.write(pattern(4096, 2), 4096);
    expectBytes(contents(store, 4096, 4096), pattern(4096, 2), 'second write');
  });

  it('reads and writes across the boundaries of what it allocates at a time', () => {
    const store = new PageStore();
    const all = pattern(2 * SLAB_SIZE, 9);
    const start = SLAB_SIZE / 2;
    store.write(all, start);
    expect(store.allocated).to.equal(all.length);
    expectBytes(contents(store, start, all.length), all, 'all of it');
    for (const [at, length] of [
      [SLAB_SIZE / 2 - 512, 1024],
      [SLAB_SIZE / 2 - 4096, 2 ** 20],
      [0, 2 ** 20],
      [2 ** 20, 2 ** 20],
    ]) {
      expectBytes(contents(store, start + at, length), all.subarray(at, at + length), `${length} at ${at}`);
    }
    store.clear(0, 4 * SLAB_SIZE);
    expect(store.allocated).to.equal(0);
    expectBytes(contents(store, start, all.length), new Uint8Array(all.length), 'cleared');
  });

  it('has zeroes where a page was freed and is allocated again', () => {
    const store = new PageStore();
    store.write(pattern(3 * PAGE_SIZE, 1), 0);
    store.clear(PAGE_SIZE, PAGE_SIZE);
    expect(store.allocated).to.equal(2 * PAGE_SIZE);
    store.write(pattern(512, 2), PAGE_SIZE + 4096);
    const expected = new Uint8Array(PAGE_SIZE);
    expected.set(pattern(512, 2), 4096);
    expectBytes(contents(store, PAGE_SIZE, PAGE_SIZE), expected, 'the page');
    expectBytes(
      contents(store, 0, PAGE_SIZE),
      pattern(3 * PAGE_SIZE, 1).subarray(0, PAGE_SIZE),
      'its neighbour',
    );
  });

  it('works beyond 2^32 pages of bytes', () => {
    const store = new PageStore();
    const offset = 2 ** 52 - 512;
    store.write(pattern(1024, 4), offset);
    expectBytes(contents(store, offset, 1024), pattern(1024, 4), 'far away');
    expect(store.extents(offset, 512)).to.deep.equal([{ offset, length: 512, hole: false }]);
  });

  it('frees the pages that are cleared wholly and zeroes the others', () => {
    const store = new PageStore();
    const all = pattern(5 * PAGE_SIZE, 5);
    store.write(all, 0);
    store.clear(PAGE_SIZE - 512, 3 * PAGE_SIZE);
    all.fill(0, PAGE_SIZE - 512, 4 * PAGE_SIZE - 512);
    expect(store.allocated).to.equal(3 * PAGE_SIZE);
    expectBytes(contents(store, 0, all.length), all, 'after clearing');
    store.clear(512, 1024);
    all.fill(0, 512, 1536);
    store.clear(4 * PAGE_SIZE + 512, 512);
    all.fill(0, 4 * PAGE_SIZE + 512, 4 * PAGE_SIZE + 1024);
    expectBytes(contents(store, 0, all.length), all, 'after clearing inside of pages');
    expect(store.allocated).to.equal(3 * PAGE_SIZE);
  });

  it('clears a petabyte as quickly as it has pages', () => {
    const store = new PageStore();
    for (let page = 0; page < 100; page++) store.write(new Uint8Array(1), page * 2 ** 40);
    store.clear(2 ** 40, 2 ** 50);
    expect(store.allocated).to.equal(PAGE_SIZE);
    store.clear(0, PAGE_SIZE);
    expect(store.allocated).to.equal(0);
  });

  it('refuses to allocate beyond its limit and takes what fits', () => {
    const store = new PageStore(2 * PAGE_SIZE);
    expect(() => store.write(pattern(3 * PAGE_SIZE, 6), 0))
      .to.throw('limit of 128 KiB')
      .with.property('code', 'ENOSPC');
    expectBytes(
      contents(store, 0, 2 * PAGE_SIZE),
      pattern(3 * PAGE_SIZE, 6).subarray(0, 2 * PAGE_SIZE),
      'kept',
    );
    expect(store.allocated).to.equal(2 * PAGE_SIZE);
    store.write(pattern(512, 7), 512);
    store.clear(0, PAGE_SIZE);
    store.write(pattern(512, 8), 9 * PAGE_SIZE);
  });

  it('reports pages as extents, from the byte that was asked for', () => {
    const store = new PageStore();
    store.write(new Uint8Array(2 * PAGE_SIZE), PAGE_SIZE);
    expect(store.extents(512, 4 * PAGE_SIZE)).to.deep.equal([
      { offset: 512, length: PAGE_SIZE - 512, hole: true },
      { offset: PAGE_SIZE, length: 2 * PAGE_SIZE, hole: false },
      { offset: 3 * PAGE_SIZE, length: PAGE_SIZE + 512, hole: true },
    ]);
  });

  it('answers for the beginning of a range that is too long', () => {
    const [first, ...others] = new PageStore().extents(4096, 2 ** 50);
    expect(others).to.deep.equal([]);
    expect(first).to.include({ offset: 4096, hole: true });
    expect(first.length)
      .to.be.greaterThan(2 ** 30)
      .and.below(2 ** 50);
  });
});
