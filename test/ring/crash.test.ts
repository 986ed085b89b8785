import { expect } from 'chai';
import type { EmulatedKernelOptions } from '../../src/testing/emulated-kernel.js';
import { CrashWorld } from './crash-world.js';

interface Scenario {
  readonly what: string;
  readonly options?: EmulatedKernelOptions;
  /** Goes on sending where the consumer has died. */
  play(world: CrashWorld): Promise<void>;
}

const scenarios: readonly Scenario[] = [
  {
    what: 'commands answered in order',
    async play(world) {
      for (const kind of ['write', 'read', 'fail', 'short', 'none', 'once'] as const) world.send(kind);
      await world.settle();
      for (let number = 0; number < 6; number++) world.answer(number);
      await world.settle();
    },
  },
  {
    what: 'commands answered in reverse',
    async play(world) {
      for (const kind of ['write', 'read', 'fail', 'once', 'short', 'none'] as const) world.send(kind);
      await world.settle();
      for (let number = 5; number >= 0; number--) world.answer(number);
      await world.settle();
    },
  },
  {
    what: 'batches, some of each answered at once',
    async play(world) {
      world.atOnce = (number) => number % 3 !== 0;
      for (let batch = 0; batch < 3; batch++) {
        for (const kind of ['read', 'write', 'once', 'fail'] as const) world.send(kind, 2);
        await world.settle();
        world.answer(batch * 3);
      }
      await world.settle();
      world.atOnce = () => false;
    },
  },
  {
    what: 'a command that many others overtake, several times round the ring',
    options: { ringSize: 616 },
    async play(world) {
      const slow = world.send('read', 3);
      const once = world.send('once');
      for (let count = 0; count < 12; count++) {
        const number = world.send(count % 2 ? 'write' : 'short');
        await world.settle();
        world.answer(number);
        if (count === 7) world.answer(once);
      }
      await world.settle();
      world.answer(slow);
      await world.settle();
    },
  },
  {
    what: 'a full ring, whose entries leave a gap at its end',
    options: { ringSize: 600 },
    async play(world) {
      for (let count = 0; count < 10; count++)
        world.send((['read', 'once', 'write'] as const)[count % 3], 1 + (count % 2));
      for (let count = 0; count < 10; count++) {
        await world.settle();
        // The second one held, where there are two.
        const [first, second] = world.held.keys();
        world.answer(second ?? first);
      }
      await world.settle();
    },
  },
  {
    what: 'a task management function between the commands',
    options: { tmrNotification: true },
    async play(world) {
      const first = world.send('read');
      const second = world.send('write');
      await world.settle();
      world.kernel.abortTask(world.sent[first].pending);
      const third = world.send('read');
      await world.settle();
      for (const number of [third, first, second]) world.answer(number);
      await world.settle();
    },
  },
];

/** Play it with a consumer that dies after so many stores; then another one that dies, or not; then one that lives. */
async function run(
  scenario: Scenario,
  first: number,
  second?: number,
): Promise<{ died: boolean; diedAgain: boolean }> {
  const world = new CrashWorld(scenario.options);
  world.serve(first);
  await scenario.play(world);
  const died = world.crash.dead;
  let diedAgain = false;
  world.bury();
  if (second !== undefined) {
    world.serve(second);
    await world.settle();
    for (const number of [...world.held.keys()].reverse()) world.answer(number);
    await world.settle();
    diedAgain = world.crash.dead;
    world.bury();
  }
  world.serve();
  await world.finish();
  try {
    const resets = world.outcomes.flatMap((outcome) => (outcome.kind === 'reset' ? [outcome.reason] : []));
    expect(resets.join(), 'why the ring was reset').to.equal('');
    world.check();
  } catch (error) {
    throw new Error(
      `${scenario.what}: killed after ${first} and ${second} stores: ${(error as Error).message}`,
      {
        cause: error,
      },
    );
  }
  return { died, diedAgain };
}

describe('a consumer killed after each of its stores', () => {
  for (const scenario of scenarios) {
    it(`${scenario.what}: each command is answered once, and none that must not runs twice`, async () => {
      let points = 0;
      while ((await run(scenario, points)).died) points++;
      expect(points).to.be.above(50);
    }).timeout(60_000);

    it(`${scenario.what}: killed again while it recovers`, async () => {
      let points = 0;
      for (let first = 0, died = true; died; first += 23) {
        let again = true;
        for (let second = first % 3; again; second += 17) {
          const result = await run(scenario, first, second);
          died = result.died;
          again = result.diedAgain;
          points++;
        }
      }
      expect(points).to.be.above(20);
    }).timeout(60_000);
  }
});
