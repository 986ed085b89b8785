import { expect } from 'chai';
import fc from 'fast-check';
import { latencyBetween, latencyPercentile } from '../../src/client/latency.js';

const histogram = (buckets: number[]) => ({
  samples: buckets.reduce((sum, count) => sum + count, 0),
  total: 0,
  buckets,
});

describe('latencyPercentile', () => {
  it('lies in the bucket that holds it', () => {
    const latency = histogram([0, 0, 0, 50, 0, 49, 1]);
    expect(latencyPercentile(latency, 0.5)).to.equal(8);
    expect(latencyPercentile(latency, 0.75)).to.be.within(16, 32);
    expect(latencyPercentile(latency, 0.99)).to.equal(32);
    expect(latencyPercentile(latency, 1)).to.equal(64);
    expect(latencyPercentile(histogram([]), 0.5)).to.equal(undefined);
  });

  it('never falls as the part grows', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(100), { minLength: 1, maxLength: 32 }), (buckets) => {
        const latency = histogram(buckets);
        fc.pre(latency.samples > 0);
        const values = [0.1, 0.5, 0.9, 0.99, 1].map((part) => latencyPercentile(latency, part) ?? Number.NaN);
        expect(values).to.deep.equal([...values].sort((a, b) => a - b));
      }),
    );
  });

  it('can be had of what came between two reports', () => {
    const [before, now] = [histogram([0, 5, 1]), histogram([0, 5, 1, 3])];
    expect(latencyBetween(before, now)).to.deep.equal({ samples: 3, total: 0, buckets: [0, 0, 0, 3] });
  });
});
