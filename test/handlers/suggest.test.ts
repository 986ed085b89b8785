import { expect } from 'chai';
import { nearest } from '../../src/handlers/suggest.js';

describe('nearest', () => {
  const names = ['create', 'direct', 'readonly', 'size', 'block_size'];

  it('finds the name a slip was meant to be', () => {
    expect(nearest('creat', names)).to.equal('create');
    expect(nearest('dirct', names)).to.equal('direct');
    expect(nearest('read_only', names)).to.equal('readonly');
    expect(nearest('SIZE', names)).to.equal('size');
    expect(nearest('blocksize', names)).to.equal('block_size');
  });

  it('finds none for a word that is like nothing, is too long, or has nothing to be like', () => {
    expect(nearest('compression', names)).to.equal(undefined);
    expect(nearest('size'.repeat(20), names)).to.equal(undefined);
    expect(nearest('size', [])).to.equal(undefined);
  });
});
