import { expect } from 'chai';
import fc from 'fast-check';
import { CommandRing } from '../../src/ring/command-ring.js';
import type { RingListener } from '../../src/ring/ring-listener.js';
import type { RingCommand } from '../../src/ring/ring-command.js';
import { RingGroup, threadRings, type GroupedRing } from '../../src/ring/ring-group.js';
import { EmulatedKernel } from '../../src/testing/emulated-kernel.js';
import type { PendingCommand } from '../../src/testing/pending-command.js';
import { Recorder, SMALL_ENTRY, TestRegion, turn } from './support.js';

const GOOD = 0x00;

/** A ring that has so many batches of one entry. */
class Batches implements GroupedRing {
  drained = 0;

  constructor(
    readonly name: string,
    public left: number,
    readonly onBatch: (ring: Batches) => void = () => undefined,
  ) {}

  drainBatch(): number {
    if (this.left === 0) return 0;
    this.left--;
    this.drained++;
    this.onBatch(this);
    return 1;
  }
}

/** Keeps this thread from anything else for so many milliseconds: what a handler that computes does. */
function spin(milliseconds: number): void {
  const end = performance.now() + milliseconds;
  while (performance.now() < end);
}

interface Member {
  ring: CommandRing;
  region: TestRegion;
  recorder: Recorder;
}

function startRings(count: number): Member[] {
  const group = new RingGroup();
  return Array.from({ length: count }, () => {
    const region = new TestRegion();
    const recorder = new Recorder();
    recorder.answer = (command) => command.complete(GOOD);
    const ring = new CommandRing(region, recorder, undefined, group);
    ring.start();
    return { ring, region, recorder };
  });
}

describe('RingGroup', () => {
  it('looks at all its rings at one wake-up, round robin, until none has anything', () => {
    const group = new RingGroup();
    const order: string[] = [];
    const note = ({ name }: Batches): void => void order.push(name);
    for (const [name, left] of [
      ['a', 3],
      ['b', 0],
      ['c', 2],
    ] as const) {
      group.add(new Batches(name, left, note));
    }
    group.drain();
    expect(order).to.deep.equal(['a', 'c', 'a', 'c', 'a']);
  });

  it('takes what comes on one ring while another is drained', () => {
    const group = new RingGroup();
    const quiet = new Batches('quiet', 0);
    group.add(quiet);
    group.add(new Batches('busy', 1, () => quiet.left++));
    group.drain();
    expect(quiet.drained).to.equal(1);
  });

  it('lets each ring have its turn, and the event loop’s other work, while one never runs dry', async () => {
    const group = new RingGroup();
    const busy = new Batches('busy', Infinity, () => spin(0.1));
    const others = Array.from({ length: 5 }, (_, index) => new Batches(`other ${index}`, 0));
    for (const ring of [others[0], others[1], busy, ...others.slice(2)]) group.add(ring);
    group.drain();
    for (let round = 1; round <= 20; round++) {
      for (const other of others) other.left = 1;
      const before = busy.drained;
      while (others.some(({ drained }) => drained < round)) await turn();
      // No more than what fits between two looks at the others, each turn.
      expect(busy.drained - before).to.be.lessThan(200);
    }
    busy.left = 0;
  });

  it('goes on in the next turn where a ring’s owner threw, and passes no ring over', async () => {
    const group = new RingGroup();
    const rings = [
      new Batches('first', 2),
      new Batches('faulty', 1, () => {
        throw new Error('owner');
      }),
      new Batches('last', 1),
    ];
    for (const ring of rings) group.add(ring);
    expect(() => group.drain()).to.throw('owner');
    await turn();
    expect(rings.map(({ drained }) => drained)).to.deep.equal([2, 1, 1]);
  });

  it('passes no ring over when another leaves or joins meanwhile', () => {
    const group = new RingGroup();
    const joining = new Batches('joining', 1);
    const first: Batches = new Batches('first', 1, () => group.remove(first));
    const second: Batches = new Batches('second', 1, () => {
      group.remove(gone);
      group.add(joining);
    });
    const gone = new Batches('gone', 5);
    const last = new Batches('last', 1);
    for (const ring of [first, second, gone, last]) group.add(ring);
    group.drain();
    expect([first, second, gone, last, joining].map(({ drained }) => drained)).to.deep.equal([1, 1, 0, 1, 1]);
    expect(group.size).to.equal(3);
  });

  it('has a ring once, however often it is added', () => {
    const group = new RingGroup();
    const ring = new Batches('one', 0);
    group.add(ring);
    group.add(ring);
    expect(group.size).to.equal(1);
    group.remove(ring);
    group.remove(ring);
    expect(group.size).to.equal(0);
  });

  it('is one for a thread', () => {
    expect(threadRings()).to.equal(threadRings());
  });

  describe('of command rings', () => {
    it('fetches from all at the wake-up of one, and rings the doorbell of each once', () => {
      const [a, b, c] = startRings(3);
      for (const { region } of [a, b, c]) for (const id of [1, 2, 3]) region.command(id);
      b.region.wake();
      for (const { region, recorder } of [a, b, c]) {
        expect(recorder.ids).to.deep.equal([1, 2, 3]);
        expect([region.tails, region.kicks]).to.deep.equal([[3 * SMALL_ENTRY], 1]);
      }
    });

    it('publishes what one ring was answered before the next one is looked at', () => {
      const [a, b] = startRings(2);
      const kicks: number[] = [];
      for (const { region, recorder } of [a, b]) {
        region.command(1);
        recorder.answer = (command) => {
          kicks.push(a.region.kicks + b.region.kicks);
          command.complete(GOOD);
        };
      }
      b.region.wake();
      expect(kicks).to.deep.equal([0, 1]);
    });

    it('leaves a ring alone that another’s command pauses, until it is resumed', () => {
      const [a, b] = startRings(2);
      const pauses = ({ recorder }: Member, other: Member): void => {
        recorder.answer = (command) => {
          other.ring.pause();
          command.complete(GOOD);
        };
      };
      pauses(a, b);
      pauses(b, a);
      for (const { region } of [a, b]) region.command(1);
      for (const { region } of [a, b]) region.wake();
      // Whichever was first paused the other one.
      const fetched = (): number[] => [a, b].map(({ recorder }) => recorder.ids.length).sort();
      expect(fetched()).to.deep.equal([0, 1]);
      for (const { ring } of [a, b]) ring.resume();
      expect(fetched()).to.deep.equal([1, 1]);
    });

    it('drains a ring that another’s command resumes', () => {
      const [a, b] = startRings(2);
      b.ring.pause();
      b.region.command(1);
      a.recorder.answer = (command) => {
        b.ring.resume();
        command.complete(GOOD);
      };
      a.region.command(1);
      a.region.wake();
      expect(b.recorder.ids).to.deep.equal([1]);
    });

    it('touches a ring no more that another’s command closes', () => {
      const rings = startRings(3);
      for (const { ring, region, recorder } of rings) {
        region.command(1);
        recorder.answer = (command) => {
          command.complete(GOOD);
          for (const other of rings) {
            if (other.ring === ring) continue;
            other.ring.close();
            other.region.close();
          }
        };
      }
      rings[0].region.wake();
      expect(rings.map(({ recorder }) => recorder.ids.length).sort()).to.deep.equal([0, 0, 1]);
      expect(rings.map(({ region }) => region.tails.length).sort()).to.deep.equal([0, 0, 1]);
    });

    it('goes on with the others where one breaks', () => {
      const [a, b, c] = startRings(3);
      a.region.command(1);
      b.region.writer.head = 7;
      c.region.command(1);
      a.region.wake();
      expect(b.recorder.broken.map(({ code }) => code)).to.deep.equal(['BAD_ENTRY']);
      expect([a, c].map(({ recorder }) => recorder.ids)).to.deep.equal([[1], [1]]);
    });

    it('lets a wake-up of one that was drained already find nothing', () => {
      const [a, b] = startRings(2);
      a.region.command(1);
      b.region.wake();
      a.region.wake();
      expect(a.recorder.ids).to.deep.equal([1]);
      expect(a.region.kicks).to.equal(1);
    });
  });
});

/** What comes on several rings, in which order. */
type Step =
  | { kind: 'submit'; ring: number; count: number; answer: 'at once' | 'microtask' | 'immediate' }
  | { kind: 'turn' }
  | { kind: 'pause' | 'resume'; ring: number };

const RINGS = 4;
const ring = fc.nat(RINGS - 1);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('submit' as const),
      ring,
      count: fc.integer({ min: 1, max: 300 }),
      answer: fc.constantFrom('at once' as const, 'microtask' as const, 'immediate' as const),
    }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('turn' as const) }) },
  fc.record({ kind: fc.constantFrom('pause' as const, 'resume' as const, 'resume' as const), ring }),
);

const answerers = {
  'at once': (command: RingCommand): void => command.complete(GOOD),
  microtask: (command: RingCommand): void => void Promise.resolve().then(() => command.complete(GOOD)),
  immediate: (command: RingCommand): void => void setImmediate(() => command.complete(GOOD)),
};

const ways = Object.keys(answerers) as (keyof typeof answerers)[];

/** A ring with an emulated kernel, and how often each of its commands was handed over and answered. */
class Served {
  readonly kernel = new EmulatedKernel({ ringSize: 8192, dataBlocks: 8 });
  readonly ring: CommandRing;
  readonly pending: PendingCommand[] = [];
  readonly handedOver: number[] = [];
  readonly failures: string[] = [];
  answers = 0;

  constructor(group: RingGroup) {
    const listener: RingListener = {
      onCommand: (command) => {
        const number = (command.cdb[1] << 8) | command.cdb[2];
        this.handedOver[number] = (this.handedOver[number] ?? 0) + 1;
        answerers[ways[command.cdb[3]]](command);
      },
      onBroken: ({ message }) => this.failures.push(message),
    };
    this.ring = new CommandRing(this.kernel.region, listener, undefined, group);
    this.ring.start();
  }

  submit(answer: keyof typeof answerers): void {
    const number = this.pending.length;
    const pending = this.kernel.queue({
      cdb: Uint8Array.of(0, number >> 8, number, ways.indexOf(answer), 0, 0),
    });
    this.pending.push(pending);
    void pending.done.then(() => this.answers++);
  }
}

describe('several command rings against emulated kernels', () => {
  it('lose no wake-up: each of random commands is handed over and answered once', async function () {
    this.timeout(60_000);
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 30 }), async (steps) => {
        const group = new RingGroup();
        const rings = Array.from({ length: RINGS }, () => new Served(group));
        for (const one of steps) {
          if (one.kind === 'turn') await turn();
          else if (one.kind === 'submit') {
            for (let count = 0; count < one.count; count++) rings[one.ring].submit(one.answer);
          } else rings[one.ring].ring[one.kind]();
        }
        for (const { ring } of rings) ring.resume();
        await Promise.all(rings.flatMap(({ pending }) => pending.map(({ done }) => done)));
        await turn();
        for (const { kernel, ring, pending, handedOver, failures, answers } of rings) {
          expect(failures).to.deep.equal([]);
          expect(kernel.broken).to.equal(false);
          expect(handedOver).to.deep.equal(pending.map(() => 1));
          expect(answers).to.equal(pending.length);
          expect([ring.inFlight, kernel.unfinished, kernel.queued]).to.deep.equal([0, 0, 0]);
          ring.close();
        }
        expect(group.size).to.equal(0);
      }),
      { numRuns: 200 },
    );
  });
});
