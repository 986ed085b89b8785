import { expect } from 'chai';
import { configure } from '../../../src/handlers/cfgstring.js';
import { nullHandler } from '../../../src/handlers/null/index.js';
import { context, failureOf, quietLog as log } from '../../conformance/support.js';

describe('null handler', () => {
  it('is one hole of any size', async () => {
    const disk = await nullHandler.open(configure(nullHandler, '?size=4P'), { log });
    expect(disk.size).to.equal(4 * 2 ** 50);
    expect(await disk.extents?.(512, 1024, context())).to.deep.equal([
      { offset: 512, length: 1024, hole: true },
    ]);
  });

  it('wants a size, in whole blocks', async () => {
    expect((await failureOf(() => nullHandler.open(configure(nullHandler, ''), { log }))).message).to.contain(
      'size',
    );
    const disk = await nullHandler.open(configure(nullHandler, '?size=1M'), { log });
    expect(await failureOf(() => disk.resize?.(-512))).to.be.instanceOf(RangeError);
  });
});
