import { expect } from 'chai';
import fc from 'fast-check';
import { mailbox } from '../../src/ring/abi.js';
import { CommandRing } from '../../src/ring/command-ring.js';
import type { RingBuffer, RingCommand } from '../../src/ring/ring-command.js';
import { Recorder, TestRegion, turn } from './support.js';

/*
 * Shared memory that another side spoils. Whatever stands there: the wake-up returns, nothing is thrown, no view
 * leaves the data area, and the worst that happens is onBroken.
 */

interface Entry {
  kind: 'command' | 'task management' | 'pad';
  id: number;
  iovecs: number;
  bidi: number;
  cdbLength: number;
}

const entry: fc.Arbitrary<Entry> = fc.record({
  kind: fc.constantFrom('command', 'command', 'command', 'task management', 'pad'),
  id: fc.integer({ min: 1, max: 12 }),
  iovecs: fc.nat(4),
  bidi: fc.nat(2),
  cdbLength: fc.constantFrom(6, 10, 16, 32),
});

/** A value for a field: near a limit, near a good one, or anything. */
const word = fc.oneof(
  fc.constantFrom(0, 1, 7, 8, 9, 104, 112, 113, 120, 121, 0x7fff_ffff, 0x8000_0000, 0xffff_fff8, 0xffff_ffff),
  fc.integer({ min: 0, max: 1 << 14 }),
  fc.integer({ min: 0, max: 0xffff_ffff }),
);

/** 32 bits written somewhere in the ring or at head, between two wake-ups. */
const mutation = fc.record({
  where: fc.oneof(
    { weight: 1, arbitrary: fc.constant('head' as const) },
    { weight: 8, arbitrary: fc.nat(159) },
  ),
  value: word,
  flip: fc.boolean(),
});

const round = fc.record({
  entries: fc.array(entry, { maxLength: 5 }),
  mutations: fc.array(mutation, { maxLength: 3 }),
  /** Mutations that fall where the entries of this round are. */
  aimed: fc.array(fc.record({ offset: fc.nat(40), value: word }), { maxLength: 2 }),
  answers: fc.array(fc.nat(20), { maxLength: 4 }),
});

const RING = 640;

function put(region: TestRegion, { kind, id, iovecs, bidi, cdbLength }: Entry): void {
  const block = (count: number): { offset: number; length: number }[] =>
    Array.from({ length: count }, (_, index) => ({ offset: region.dataOffset + 1024 * index, length: 512 }));
  const cdb = new Uint8Array(cdbLength).fill(0x7f, 0, 1).fill(cdbLength - 8, 7, 8);
  // The producer’s own end of the ring is sound: only what it wrote is not.
  if (region.writer.head >= RING || region.writer.head % 8 !== 0) return;
  if (kind === 'command') region.writer.writeCommand(id, cdb, block(iovecs), block(bidi));
  else if (kind === 'task management') region.writer.writeTaskManagement(1, [id, id + 1]);
  else region.writer.writeRaw(Uint8Array.of(16, 0, 0, 0, ...new Uint8Array(12)));
}

function expectInside(region: TestRegion, { segments }: RingBuffer): void {
  for (const { byteOffset, byteLength, buffer } of segments) {
    expect(buffer).to.equal(region.buffer);
    expect(byteOffset).to.be.at.least(region.dataOffset);
    expect(byteOffset + byteLength).to.be.at.most(region.buffer.byteLength);
  }
}

describe('command ring over memory that is spoilt', () => {
  it('breaks at worst', async function () {
    this.timeout(60_000);
    let broke = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(round, { minLength: 1, maxLength: 6 }), async (rounds) => {
        const region = new TestRegion(RING, 8192);
        const recorder = new Recorder();
        const waiting: RingCommand[] = [];
        recorder.answer = (command) => {
          expect(command.id).to.be.within(1, 0xffff);
          expect(command.cdbLength).to.be.within(1, 260);
          expectInside(region, command.dataOut);
          expectInside(region, command.dataIn);
          if (command.id % 3 === 0) command.complete(0);
          else waiting.push(command);
        };
        const ring = new CommandRing(region, recorder);
        ring.start();
        for (const { entries, mutations, aimed, answers } of rounds) {
          const start = region.writer.head;
          for (const one of entries) put(region, one);
          for (const { where, value, flip } of mutations) {
            const at = where === 'head' ? mailbox.head : mailbox.size + where * 4;
            region.view.setUint32(at, (flip ? region.view.getUint32(at, true) ^ value : value) >>> 0, true);
          }
          for (const { offset, value } of aimed) {
            region.view.setUint32(mailbox.size + ((start + offset * 4) % RING), value, true);
          }
          region.wake();
          for (const index of answers) waiting.splice(index % (waiting.length || 1), 1)[0]?.complete(0);
          await turn();
        }
        for (const command of waiting.splice(0)) command.complete(2, new Uint8Array(18), 4);
        await turn();

        expect(ring.inFlight).to.equal(0);
        expect(recorder.broken.length).to.be.at.most(1);
        expect(ring.broken).to.equal(recorder.broken[0]);
        for (const tail of region.tails) {
          expect(tail).to.be.below(RING);
          expect(tail % 8).to.equal(0);
        }
        broke += recorder.broken.length;
      }),
      { numRuns: 2500 },
    );
    expect(broke).to.be.greaterThan(100);
  });

  it('breaks at worst where head and entries are noise', function () {
    this.timeout(60_000);
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: RING, maxLength: RING }),
        fc.array(fc.nat(RING / 8 - 1), { minLength: 1, maxLength: 6 }),
        fc.boolean(),
        (bytes, heads, small) => {
          const region = new TestRegion(RING, 8192);
          new Uint8Array(region.buffer, mailbox.size, RING).set(bytes);
          if (small) {
            // Lengths that can be: more than the first entry is looked at.
            for (let at = mailbox.size; at < mailbox.size + RING; at += 8) {
              region.view.setUint32(at, region.view.getUint32(at, true) & 0x7f, true);
            }
          }
          const recorder = new Recorder();
          recorder.answer = (command) => {
            expectInside(region, command.dataOut);
            expectInside(region, command.dataIn);
            command.complete(0);
          };
          const ring = new CommandRing(region, recorder);
          ring.start();
          for (const head of heads) {
            region.writer.head = head * 8;
            region.wake();
          }
          expect(recorder.broken.length).to.be.at.most(1);
          if (!ring.broken) expect(region.writer.tail).to.equal(region.writer.head);
        },
      ),
      { numRuns: 2000 },
    );
  });
});
