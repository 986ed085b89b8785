import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { handlerRegistry } from '../../src/daemon/handler-registry.js';

describe('the daemon’s handlers', () => {
  it('are the built-in ones, under a prefix where one is asked for', async () => {
    expect((await handlerRegistry()).names()).to.deep.equal(['memory', 'file', 'null']);
    expect((await handlerRegistry([], 'lab_')).names()).to.deep.equal(['lab_memory', 'lab_file', 'lab_null']);
  });

  it('refuse a second handler of one name', async () => {
    const twice = fileURLToPath(new URL('./support/second-memory.ts', import.meta.url));
    let message = '';
    await handlerRegistry([twice]).catch((error: Error) => (message = error.message));
    expect(message).to.include("two handlers named 'memory'");
  });
});
