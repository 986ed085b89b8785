import { expect } from 'chai';
import { BackOff } from '../../../src/daemon/host/back-off.js';

describe('the back-off', () => {
  it('doubles from 0.1 s to 10 s', () => {
    const backOff = new BackOff();
    const waits = Array.from({ length: 9 }, () => backOff.died(0));
    expect(waits).to.deep.equal([100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000]);
  });

  it('grows where each lives for a second only', () => {
    const backOff = new BackOff();
    expect([1000, 1000, 1000, 1000].map((lived) => backOff.died(lived))).to.deep.equal([100, 200, 400, 800]);
  });

  it('begins anew after what died had lived for a while', () => {
    const backOff = new BackOff();
    for (let count = 0; count < 8; count++) backOff.died(0);
    expect(backOff.died(30_000)).to.equal(10_000);
    expect(backOff.died(60_000)).to.equal(100);
    expect(backOff.died(20_000)).to.equal(100);
  });
});
