import { expect } from 'chai';
import { z } from 'zod';
import { defineHandler } from '../../src/handlers/contract.js';
import { text } from '../../src/handlers/options.js';

const parts = {
  description: 'for tests',
  config: z.object({ path: text() }),
  open: () => ({ size: 512, read: () => undefined }),
};

describe('defineHandler', () => {
  it('gives back the handler it was given', () => {
    const handler = { ...parts, name: 'my_disk2', positional: 'path' as const };
    expect(defineHandler(handler)).to.equal(handler);
  });

  it('refuses a name that cannot be a subtype and part of a D-Bus path', () => {
    for (const name of ['', 'My', '2x', 'a-b', 'a/b', 'a.b', '_a', 'a'.repeat(33)]) {
      expect(() => defineHandler({ ...parts, name }), name).to.throw(TypeError, `handler name '${name}'`);
    }
    expect(defineHandler({ ...parts, name: 'a'.repeat(32) }).name).to.have.length(32);
  });

  it('refuses a positional that is no option', () => {
    const handler = { ...parts, name: 'x', positional: 'file' as 'path' };
    expect(() => defineHandler(handler)).to.throw(TypeError, "positional 'file' is not one of its options");
  });
});
