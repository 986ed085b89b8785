import { expect } from 'chai';
import { checkSize, requestedGeometry, requiredGeometry } from '../../src/handlers/geometry.js';
import { blockSize } from '../../src/handlers/options.js';
import { quietLog as log } from '../conformance/support.js';

describe('geometry', () => {
  it('takes the size of the request before that of the option, and the block size the other way round', () => {
    expect(
      requestedGeometry({ size: 1024, block_size: 1024 }, { size: 8192, blockSize: 4096, log }),
    ).to.deep.equal({
      size: 8192,
      blockSize: 1024,
    });
    expect(requestedGeometry({ size: 8192 }, { blockSize: 4096, log })).to.deep.equal({
      size: 8192,
      blockSize: 4096,
    });
    expect(requestedGeometry({}, { log })).to.deep.equal({ size: undefined, blockSize: 512 });
  });

  it('wants a size where the disk has none of its own', () => {
    expect(() => requiredGeometry({}, { log })).to.throw(RangeError, 'add ?size=1G');
    expect(requiredGeometry({ size: 512 }, { log }).size).to.equal(512);
  });

  it('refuses sizes that are no positive multiple of the block size', () => {
    for (const wrong of [0, -512, 100, 4096 + 512, NaN, Infinity, 2 ** 53]) {
      expect(() => checkSize(wrong, 4096), String(wrong)).to.throw(
        RangeError,
        'multiple of the block size, 4 KiB',
      );
    }
    expect(() => checkSize(8192, 4096)).not.to.throw();
  });

  it('takes powers of two from 512 to 64K as a block size', () => {
    for (const right of ['512', '1K', '4096', '64K'])
      expect(blockSize().safeParse(right).success).to.equal(true);
    for (const wrong of ['0', '256', '513', '3K', '128K', 'x']) {
      expect(blockSize().safeParse(wrong).success, wrong).to.equal(false);
    }
  });
});
