import { expect } from 'chai';
import { readFileSync } from 'node:fs';
import { ram } from '../../examples/ram-disk.js';
import { describeHandlerConformance } from '../conformance/handler-suite.js';

describe('examples/ram-disk.ts', () => {
  it('is at most 25 lines long', () => {
    const lines = readFileSync(new URL('../../examples/ram-disk.ts', import.meta.url), 'utf8')
      .trimEnd()
      .split('\n');
    expect(lines.length).to.be.at.most(25);
  });
});

describeHandlerConformance('examples/ram-disk.ts', {
  handler: ram,
  cfgstring: () => '',
  sparse: false,
  without: ['unmap', 'writeZeroes', 'extents', 'resize'],
});
