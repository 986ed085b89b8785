import { expect } from 'chai';
import fc from 'fast-check';
import { CrashWorld, type Kind } from './crash-world.js';

const kinds: readonly Kind[] = ['read', 'write', 'short', 'fail', 'none', 'once'];

type Action =
  | { readonly what: 'send'; readonly kind: Kind; readonly blocks: number; readonly atOnce: boolean }
  /** The so-manieth of those that the consumer holds. */
  | { readonly what: 'answer'; readonly which: number }
  | { readonly what: 'wait' }
  | { readonly what: 'kill'; readonly after: number };

const action: fc.Arbitrary<Action> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      what: fc.constant('send' as const),
      kind: fc.constantFrom(...kinds),
      blocks: fc.integer({ min: 0, max: 4 }),
      atOnce: fc.boolean(),
    }),
  },
  { weight: 6, arbitrary: fc.record({ what: fc.constant('answer' as const), which: fc.nat(20) }) },
  { weight: 3, arbitrary: fc.record({ what: fc.constant('wait' as const) }) },
  { weight: 1, arbitrary: fc.record({ what: fc.constant('kill' as const), after: fc.nat(250) }) },
);

describe('consumers killed at random', () => {
  it('leave every command to be answered once, whatever the order of answers', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(600, 616, 1024, 4096),
        fc.array(action, { maxLength: 150, size: 'max' }),
        async (ringSize, actions) => {
          const world = new CrashWorld({ ringSize });
          const atOnce = new Set<number>();
          world.atOnce = (number) => atOnce.has(number);
          world.serve();
          for (const step of actions) {
            switch (step.what) {
              case 'send': {
                const blocks = step.kind === 'none' || step.kind === 'fail' ? 0 : step.blocks || 1;
                if (step.atOnce) atOnce.add(world.sent.length);
                world.send(step.kind, blocks);
                break;
              }
              case 'answer': {
                const held = [...world.held.keys()];
                if (held.length > 0) world.answer(held[step.which % held.length]);
                break;
              }
              case 'wait':
                await world.settle();
                break;
              case 'kill':
                // The one that serves now dies here; its successor after so many stores.
                world.bury();
                world.serve(step.after);
            }
          }
          world.bury();
          world.serve();
          await world.finish();
          expect(
            world.outcomes.flatMap((found) => (found.kind === 'reset' ? [found.reason] : [])).join(),
          ).to.equal('');
          world.check();
        },
      ),
      { numRuns: 150 },
    );
  }).timeout(120_000);
});
