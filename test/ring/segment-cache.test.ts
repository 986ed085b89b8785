import { expect } from 'chai';
import { SegmentCache } from '../../src/ring/segment-cache.js';

describe('cache of data-area views', () => {
  const buffer = new ArrayBuffer(64 * 1024 * 1024);
  const region = { buffer };

  it('gives the same view for the same bytes', () => {
    const cache = new SegmentCache(region);
    const view = cache.view(8192, 512);
    expect([view.byteOffset, view.length, view.buffer]).to.deep.equal([8192, 512, buffer]);
    expect(cache.view(8192, 512)).to.equal(view);
  });

  it('gives a view of its own for another length or offset in the same slot', () => {
    const cache = new SegmentCache(region);
    const pages = 4096 * 4096;
    for (const [offset, length] of [
      [4096, 4096],
      [4096, 512],
      [4608, 512],
      [4096 + pages, 512],
      [4096, 4096],
    ]) {
      const view = cache.view(offset, length);
      expect([view.byteOffset, view.length]).to.deep.equal([offset, length]);
    }
  });

  it('asks for all of a region when something lies beyond its beginning, and then has it', () => {
    let asked = 0;
    const beginning = new ArrayBuffer(8192);
    const cache = new SegmentCache({ buffer: beginning, whole: () => (asked++, buffer) });
    expect(cache.view(4096, 4096).buffer).to.equal(beginning);
    expect(asked).to.equal(0);
    for (const [offset, length] of [
      [4096, 4097],
      [1 << 20, 512],
      [0, 512],
    ]) {
      const view = cache.view(offset, length);
      expect([view.buffer, view.byteOffset, view.length]).to.deep.equal([buffer, offset, length]);
    }
    expect(asked).to.equal(1);
  });
});
