import { expect } from 'chai';
import fc from 'fast-check';
import { EntryQueue } from '../../src/ring/entry-queue.js';

describe('queue of fetched entries', () => {
  it('gives back what was pushed, oldest first, as a plain array does', () => {
    const step = fc.oneof(
      fc.record({ push: fc.integer({ min: 1, max: 400 }) }),
      fc.record({ shift: fc.integer({ min: 1, max: 400 }) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
        const queue = new EntryQueue();
        const model: number[] = [];
        let word = 0xffff_ff00;
        for (const { push = 0, shift = 0 } of steps as { push?: number; shift?: number }[]) {
          for (let count = 0; count < push; count++) {
            word = (word + 8) % 2 ** 32;
            queue.push(word);
            model.push(word);
          }
          for (let count = 0; count < shift && model.length > 0; count++) {
            expect(queue.first).to.equal(model[0]);
            expect(queue.shift()).to.equal(model.shift());
          }
          expect(queue.isEmpty).to.equal(model.length === 0);
        }
      }),
      { numRuns: 60 },
    );
  });
});
