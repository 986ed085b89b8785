import { mailbox } from '../src/ring/abi.js';
import { CommandRing } from '../src/ring/command-ring.js';
import type { RingListener } from '../src/ring/ring-listener.js';
import { JournalMemory } from '../src/ring/journal-memory.js';
import { Journal } from '../src/ring/journal.js';
import type { RingRegion } from '../src/ring/region.js';
import type { RingCommand } from '../src/ring/ring-command.js';
import { RingWriter } from '../src/testing/ring-writer.js';

/*
 * npx tsx bench/journal.ts: what the journal costs a command, from the ring and back, without a handler. Rings with
 * and without one take turns; of the rounds the median counts.
 */

const RING = 1 << 20;
const BATCH = 64;
const BATCHES = 4000;
const ROUNDS = 15;
const cdb = Uint8Array.of(0x2a, 0, 0, 0, 0, 0, 0, 0, 8, 0);

class BenchRegion implements RingRegion {
  readonly buffer = new ArrayBuffer(mailbox.size + RING + 65536);
  readonly writer = new RingWriter(this.buffer, RING);
  wake: () => void = () => undefined;

  loadHead(): number {
    return this.writer.head;
  }

  storeTail(tail: number): void {
    this.writer.tail = tail;
  }

  kick(): void {
    return undefined;
  }

  onCommand(callback: () => void): void {
    this.wake = callback;
  }

  close(): void {
    return undefined;
  }
}

type Order = 'in order' | 'reversed';

/** A ring whose commands are answered at once, or a batch at a time the other way round. */
class Subject {
  readonly #region = new BenchRegion();
  readonly #held: RingCommand[] = [];
  readonly #order: Order;
  readonly times: number[] = [];

  constructor(order: Order, journalled: boolean) {
    this.#order = order;
    const listener: RingListener = {
      onCommand: (command) => {
        if (order === 'in order') command.complete(0);
        else this.#held.push(command);
      },
      onBroken: (error) => {
        throw error;
      },
    };
    const resumption = {
      journal: new Journal(new JournalMemory(new ArrayBuffer(Journal.bytesFor(RING))), RING, 'bench'),
      isIdempotent: (): boolean => true,
      resetRing: (): void => undefined,
    };
    new CommandRing(this.#region, listener, journalled ? resumption : undefined).start();
  }

  /** Nanoseconds a command. */
  round(): void {
    const { writer } = this.#region;
    let nanoseconds = 0;
    for (let batch = 0; batch < BATCHES; batch++) {
      for (let id = 1; id <= BATCH; id++) {
        writer.writeCommand(id, cdb, [{ offset: mailbox.size + RING, length: 4096 }], []);
      }
      const start = process.hrtime.bigint();
      this.#region.wake();
      if (this.#order === 'reversed') while (this.#held.length > 0) this.#held.pop()!.complete(0);
      nanoseconds += Number(process.hrtime.bigint() - start);
    }
    this.times.push(nanoseconds / BATCHES / BATCH);
  }

  get median(): number {
    return this.times.toSorted((a, b) => a - b)[this.times.length >> 1];
  }
}

for (const order of ['in order', 'reversed'] as const) {
  const without = new Subject(order, false);
  const journalled = new Subject(order, true);
  for (let round = 0; round < ROUNDS; round++) {
    without.round();
    journalled.round();
  }
  const [before, after] = [without.median, journalled.median];
  process.stdout.write(
    `${order}: ${before.toFixed(0)} ns a command, ${after.toFixed(0)} with a journal ` +
      `(+${(after - before).toFixed(0)} ns)\n`,
  );
}
