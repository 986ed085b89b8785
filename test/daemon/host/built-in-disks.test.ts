import { expect } from 'chai';
import { builtInDisks } from '../../../src/daemon/host/built-in-disks.js';
import { handlerRegistry } from '../../../src/daemon/handler-registry.js';

describe('builtInDisks', () => {
  it('opens the disks of all handlers that come with Lunette, by the same subtypes', async () => {
    const registry = builtInDisks({ modules: [], prefix: 'my_' });
    expect(registry.names()).to.deep.equal((await handlerRegistry([], 'my_')).names());
    const log = { debug() {}, info() {}, warn() {}, error() {} };
    const disk = await registry.find('my_memory').open({ size: 4096, block_size: 4096 }, { log });
    expect(disk).to.include({ size: 4096, blockSize: 4096 });
  });
});
