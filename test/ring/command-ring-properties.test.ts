import { expect } from 'chai';
import fc from 'fast-check';
import sinon from 'sinon';
import { CommandRing } from '../../src/ring/command-ring.js';
import type { RingCommand } from '../../src/ring/ring-command.js';
import { EmulatedKernel } from '../../src/testing/emulated-kernel.js';
import type { PendingCommand } from '../../src/testing/pending-command.js';
import { turn } from './support.js';

/*
 * Ring and emulated kernel driven against each other at random. The CDB says who a command is; its data is made
 * of that number, so that a byte of another command's, or one left over in the data area, is found.
 */

const GOOD = 0x00;
const CHECK_CONDITION = 0x02;
const TASK_SET_FULL = 0x28;
const TASK_ABORTED = 0x40;
const BUSY = 0x08;

type Direction = 'none' | 'in' | 'out' | 'bidirectional';

interface Submission {
  direction: Direction;
  /** Bytes of Data-Out and of Data-In. */
  out: number;
  in: number;
  /** READ_LEN, where fewer bytes than `in` are valid. */
  valid: number | undefined;
  answer: 'at once' | 'later';
  keep: boolean;
}

type Step =
  | { kind: 'submit'; commands: Submission[] }
  | { kind: 'turn' }
  | { kind: 'pause' }
  | { kind: 'resume' }
  | { kind: 'complete'; picks: number[] }
  | { kind: 'abort'; pick: number }
  | { kind: 'reset unit' }
  | { kind: 'expire'; pick: number }
  | { kind: 'free buffer'; pick: number }
  | { kind: 'time'; milliseconds: number };

interface Setting {
  ringSize: number;
  blockSize: number;
  dataBlocks: number;
  fragmented: boolean;
  tmrNotification: boolean;
  /** Milliseconds. */
  commandTimeout: number;
  queueFullTimeout: number;
}

const setting: fc.Arbitrary<Setting> = fc.record({
  ringSize: fc.integer({ min: 64, max: 160 }).map((words) => words * 8),
  blockSize: fc.constantFrom(512, 4096),
  dataBlocks: fc.integer({ min: 8, max: 24 }),
  fragmented: fc.boolean(),
  tmrNotification: fc.boolean(),
  commandTimeout: fc.constantFrom(0, 1000, 1000),
  queueFullTimeout: fc.constantFrom(500, 2000),
});

const submission: fc.Arbitrary<Submission> = fc.record({
  direction: fc.constantFrom<Direction>('none', 'in', 'out', 'bidirectional'),
  out: fc.integer({ min: 1, max: 1500 }),
  in: fc.integer({ min: 1, max: 1500 }),
  valid: fc.option(fc.integer({ min: 1, max: 1500 }), { nil: undefined }),
  answer: fc.constantFrom('at once', 'later'),
  keep: fc.boolean(),
});

const pick = fc.nat(1000);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('submit' as const),
      commands: fc.array(submission, { minLength: 1, maxLength: 6 }),
    }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('turn' as const) }) },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('complete' as const),
      picks: fc.array(pick, { minLength: 1, maxLength: 4 }),
    }),
  },
  fc.record({ kind: fc.constantFrom('pause' as const, 'resume' as const, 'resume' as const) }),
  fc.record({ kind: fc.constantFrom('abort' as const, 'expire' as const, 'free buffer' as const), pick }),
  fc.record({ kind: fc.constant('reset unit' as const) }),
  fc.record({ kind: fc.constant('time' as const), milliseconds: fc.integer({ min: 100, max: 800 }) }),
);

/** The byte at `index` of what command `number` transfers in a direction. */
const byteOf = (number: number, index: number, direction: 'out' | 'in'): number =>
  (number * 31 + index * 7 + (direction === 'in' ? 128 : 0)) & 0xff;

const dataOf = (number: number, length: number, direction: 'out' | 'in'): Uint8Array =>
  Uint8Array.from({ length }, (_, index) => byteOf(number, index, direction));

class Run {
  readonly kernel: EmulatedKernel;
  readonly ring: CommandRing;
  readonly submitted: (Submission & { pending: PendingCommand; answers: number })[] = [];
  /** By number: how its side of the ring answered. */
  readonly answered: (number | undefined)[] = [];
  running: RingCommand[] = [];
  expired: RingCommand[] = [];
  failures: string[] = [];
  readonly #aborted = new Set<PendingCommand>();
  #timePassed = 0;

  constructor(
    readonly setting: Setting,
    readonly clock: sinon.SinonFakeTimers,
  ) {
    this.kernel = new EmulatedKernel(setting);
    this.ring = new CommandRing(this.kernel.region, {
      onCommand: (command) => this.#onCommand(command),
      onTaskManagement: (_type, ids) => {
        for (const id of ids) this.ring.find(id)?.abort(new Error('aborted'));
      },
      onBroken: (error) => this.failures.push(error.message),
    });
    this.ring.start();
  }

  submit(one: Submission): void {
    const number = this.submitted.length;
    const cdb = Uint8Array.of(0xc0, number >> 8, number, 1, 2, 3, 4, 5);
    const hasOut = one.direction === 'out' || one.direction === 'bidirectional';
    const hasIn = one.direction === 'in' || one.direction === 'bidirectional';
    const pending = this.kernel.queue({
      cdb,
      dataOut: hasOut ? dataOf(number, one.out, 'out') : undefined,
      dataInLength: hasIn ? one.in : undefined,
      bidirectional: one.direction === 'bidirectional',
    });
    const entry = { ...one, pending, answers: 0 };
    this.submitted.push(entry);
    void pending.done.then(() => entry.answers++);
  }

  numberOf(command: RingCommand): number {
    return (command.cdb[1] << 8) | command.cdb[2];
  }

  #onCommand(command: RingCommand): void {
    const number = this.numberOf(command);
    const { direction, out, in: length, answer } = this.submitted[number];
    const sizes = [command.dataOut.byteLength, command.bidirectional ? command.dataIn.byteLength : 0];
    const expected = { none: [0, 0], in: [length, 0], out: [out, 0], bidirectional: [out, length] }[
      direction
    ];
    if (sizes.join() !== expected.join()) this.failures.push(`${number} has ${sizes.join()} bytes`);
    if (direction === 'out' || direction === 'bidirectional') this.#checkDataOut(command, number);
    if (answer === 'at once') this.complete(command);
    else this.running.push(command);
  }

  #checkDataOut({ dataOut }: RingCommand, number: number): void {
    const found = Buffer.concat(dataOut.segments);
    if (!found.equals(dataOf(number, dataOut.byteLength, 'out'))) this.failures.push(`${number}: Data-Out`);
  }

  /** Its verb has run: it read all of Data-Out, which still is its own, and filled Data-In. */
  complete(command: RingCommand): void {
    const number = this.numberOf(command);
    const { direction, valid, in: length, keep } = this.submitted[number];
    if (direction === 'out' || direction === 'bidirectional') this.#checkDataOut(command, number);
    let index = 0;
    if (direction === 'in' || direction === 'bidirectional') {
      for (const segment of command.dataIn.segments) {
        for (let at = 0; at < segment.length; at++) segment[at] = byteOf(number, index++, 'in');
      }
    }
    this.answered[number] = GOOD;
    const readLength = direction === 'in' && valid !== undefined ? Math.min(valid, length) : undefined;
    command.complete(GOOD, undefined, readLength, keep);
  }

  /** Every entry of the ring that holds no response belongs to a command the kernel waits for. */
  check(): void {
    expect(this.failures).to.deep.equal([]);
    expect(this.kernel.broken).to.equal(false);
    // Between two turns nothing that was answered is held back.
    expect(this.kernel.entriesOnRing).to.equal(this.kernel.unfinished);
  }

  async step(step: Step): Promise<void> {
    const choose = <T>(list: T[], pick: number): T | undefined => list[pick % list.length];
    switch (step.kind) {
      case 'submit':
        for (const one of step.commands) this.submit(one);
        break;
      case 'turn':
        await turn();
        this.check();
        break;
      case 'pause':
        this.ring.pause();
        break;
      case 'resume':
        this.ring.resume();
        break;
      case 'complete':
        for (const pick of step.picks) {
          const command = choose(this.running, pick);
          if (!command) break;
          this.running = this.running.filter((other) => other !== command);
          this.complete(command);
        }
        break;
      case 'abort': {
        const one = choose(this.submitted, step.pick);
        if (!one) break;
        this.#aborted.add(one.pending);
        this.kernel.abortTask(one.pending);
        break;
      }
      case 'reset unit':
        for (const { pending } of this.submitted) this.#aborted.add(pending);
        this.kernel.lunReset();
        break;
      case 'expire': {
        // The buffer is kept, as its verb may go on with it; the object comes back when the verb ends.
        const command = choose(this.running, step.pick);
        if (!command) break;
        this.running = this.running.filter((other) => other !== command);
        this.expired.push(command);
        this.answered[this.numberOf(command)] = BUSY;
        command.expire(BUSY, undefined, true);
        break;
      }
      case 'time':
        this.#timePassed += step.milliseconds;
        this.clock.tick(step.milliseconds);
        break;
      case 'free buffer': {
        const id = choose(this.kernel.keptBuffers, step.pick);
        if (id !== undefined) this.#freeBuffer(id);
      }
    }
  }

  #freeBuffer(id: number): void {
    const owner = this.expired.find((command) => command.id === id);
    if (owner) {
      this.expired = this.expired.filter((other) => other !== owner);
      owner.complete(GOOD);
    }
    this.kernel.freeKeptBuffer(id);
  }

  /** Let everything end. */
  async finish(): Promise<void> {
    this.ring.resume();
    while (this.kernel.unfinished > 0 || this.kernel.queued > 0 || this.kernel.keptBuffers.length > 0) {
      for (const command of this.running.splice(0)) this.complete(command);
      for (const id of this.kernel.keptBuffers) this.#freeBuffer(id);
      await turn();
      this.check();
    }
    await turn();
  }

  #ranOut(timeout: number): boolean {
    return timeout > 0 && this.#timePassed >= timeout;
  }

  async checkEnd(): Promise<void> {
    this.check();
    const { kernel } = this;
    expect(kernel.freeDataBlocks).to.equal(this.setting.dataBlocks);
    expect(kernel.writer.tail).to.equal(kernel.writer.head);
    expect([this.ring.inFlight, this.ring.late, this.running.length]).to.deep.equal([0, 0, 0]);
    for (const [number, one] of this.submitted.entries()) {
      expect(one.answers, `answers to command ${number}`).to.equal(1);
      const { status, dataIn } = await one.pending.done;
      if (status === TASK_ABORTED && this.#aborted.has(one.pending)) continue;
      if (status === CHECK_CONDITION && this.#ranOut(this.setting.commandTimeout)) continue;
      if (status === TASK_SET_FULL && this.#ranOut(this.setting.queueFullTimeout)) continue;
      expect(status, `status of command ${number}`).to.equal(this.answered[number]);
      if (status !== GOOD || one.direction === 'none' || one.direction === 'out') continue;
      const length = one.direction === 'in' ? Math.min(one.valid ?? one.in, one.in) : one.in;
      expect(dataIn.length, `Data-In of command ${number}`).to.equal(length);
      expect(Buffer.from(dataIn).equals(dataOf(number, length, 'in')), `Data-In of ${number}`).to.equal(true);
    }
  }
}

describe('command ring against the emulated kernel', () => {
  let clock: sinon.SinonFakeTimers;

  beforeEach(() => {
    clock = sinon.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  });
  afterEach(() => clock.restore());

  it('answers each of random commands once, with its own data, and leaks nothing', async function () {
    this.timeout(60_000);
    await fc.assert(
      fc.asyncProperty(setting, fc.array(step, { minLength: 1, maxLength: 40 }), async (options, steps) => {
        const run = new Run(options, clock);
        for (const one of steps) await run.step(one);
        await run.finish();
        await run.checkEnd();
      }),
      { numRuns: 1200 },
    );
  });

  it('hands a daemon that starts again exactly what the last one did not answer', async function () {
    this.timeout(60_000);
    await fc.assert(
      fc.asyncProperty(
        setting,
        fc.integer({ min: 1, max: 40 }),
        fc.integer({ min: 0, max: 40 }),
        async (options, count, answered) => {
          const kernel = new EmulatedKernel(options);
          const pending = Array.from({ length: count }, (_, number) =>
            kernel.queue({ cdb: Uint8Array.of(0, number, 0, 0, 0, 0), dataInLength: 100 }),
          );
          const seen: number[] = [];
          const serve = (limit: number): CommandRing => {
            const region = kernel.reopen();
            const ring: CommandRing = new CommandRing(region, {
              onCommand: (command) => {
                // In order, so that the ring still holds every request that has no answer.
                if (seen.length === limit) return;
                seen.push(command.cdb[1]);
                command.complete(GOOD);
              },
              onBroken: (error) => expect.fail(error.message),
            });
            ring.start();
            return ring;
          };
          kernel.region.close();
          const first = serve(Math.min(answered, count));
          for (let index = 0; index < 60; index++) await turn();
          first.close();
          kernel.region.close();
          serve(Infinity);
          await Promise.all(pending.map(({ done }) => done));
          expect(seen).to.deep.equal(Array.from({ length: count }, (_, index) => index));
          expect([kernel.unfinished, kernel.freeDataBlocks]).to.deep.equal([0, options.dataBlocks]);
        },
      ),
      { numRuns: 150 },
    );
  });
});
