import { expect } from 'chai';
import { configure } from '../../../src/handlers/cfgstring.js';
import { memory } from '../../../src/handlers/memory/index.js';
import { context, failureOf, pattern, quietLog as log } from '../../conformance/support.js';

describe('memory handler', () => {
  it('takes its size from the option where the request has none', async () => {
    const disk = await memory.open(configure(memory, '?size=3M&block_size=4K'), { log });
    expect(disk.size).to.equal(3 * 2 ** 20);
    expect(disk.blockSize).to.equal(4096);
  });

  it('says what to add where nobody gives a size', async () => {
    const error = await failureOf(() => memory.open(configure(memory, ''), { log }));
    expect(error.message).to.contain('?size=1G');
  });

  it('answers synchronously, as the fast way of a command wants it', async () => {
    const disk = await memory.open(configure(memory, '?size=1M'), { log });
    expect(disk.write?.(pattern(4096, 1), 0, context())).to.equal(undefined);
    expect(disk.read(new Uint8Array(4096), 0, context())).to.equal(undefined);
    expect(disk.unmap?.(0, 4096, context())).to.equal(undefined);
  });

  it('forgets everything when its key would be thrown away', async () => {
    const disk = await memory.open(configure(memory, '?size=1M'), { log });
    await disk.write?.(pattern(4096, 1), 8192, context());
    await disk.cryptoErase?.(context());
    const found = new Uint8Array(4096).fill(1);
    await disk.read(found, 8192, context());
    expect(found.every((byte) => byte === 0)).to.equal(true);
  });

  it('forgets what lies beyond a smaller size, also where it grows again', async () => {
    const disk = await memory.open(configure(memory, '?size=1M'), { log });
    await disk.write?.(pattern(2 ** 20, 1), 0, context());
    await disk.resize?.(2 ** 19 + 512);
    await disk.resize?.(2 ** 20);
    const tail = new Uint8Array(2 ** 19 - 512).fill(1);
    await disk.read(tail, 2 ** 19 + 512, context());
    expect(tail.every((byte) => byte === 0)).to.equal(true);
    expect(await failureOf(() => disk.resize?.(100))).to.be.instanceOf(RangeError);
  });

  it('hands its contents over to the next one, and is empty itself', async () => {
    const disk = await memory.open(configure(memory, '?size=1M'), { log });
    await disk.write?.(pattern(2 ** 20, 1), 0, context());
    const inherited: unknown = disk.handOver?.();
    await disk.close?.();
    const next = await memory.open(configure(memory, '?size=512K&limit=1M'), { log, inherited });
    const found = new Uint8Array(2 ** 19);
    await next.read(found, 0, context());
    expect(found).to.deep.equal(pattern(2 ** 20, 1).subarray(0, 2 ** 19));
    await next.resize?.(2 ** 20);
    await next.read(found, 2 ** 19, context());
    expect(found.every((byte) => byte === 0)).to.equal(true);
    expect(
      (await failureOf(() => memory.open(configure(memory, ''), { log, inherited: 'of another kind' })))
        .message,
    ).to.contain('size');
  });
});
