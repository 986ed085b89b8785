import { expect } from 'chai';
import { KeptBuffer } from '../../src/ring/kept-buffer.js';

describe('KeptBuffer', () => {
  const released: number[] = [];
  let buffer: KeptBuffer;
  beforeEach(() => {
    released.length = 0;
    buffer = new KeptBuffer({ releaseBuffer: (id) => void released.push(id) });
  });

  it('is freed by the last release', () => {
    const [first, second] = [buffer.hold(), buffer.hold()];
    buffer.kept(7);
    first.release();
    first.release();
    expect(released).to.deep.equal([]);
    second.release();
    expect(released).to.deep.equal([7]);
    second.release();
    expect(released).to.deep.equal([7]);
  });

  it('is not kept where it was released before the command was done', () => {
    const hold = buffer.hold();
    expect(buffer.held).to.equal(true);
    hold.release();
    expect(buffer.held).to.equal(false);
    expect(released).to.deep.equal([]);
  });
});
