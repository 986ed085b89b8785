import { expect } from 'chai';
import fc from 'fast-check';
import { mailbox } from '../../src/ring/abi.js';
import { CommandRing } from '../../src/ring/command-ring.js';
import { CHUNK, word } from '../../src/ring/journal-layout.js';
import { JournalMemory } from '../../src/ring/journal-memory.js';
import { Journal } from '../../src/ring/journal.js';
import type { RecoveryOutcome } from '../../src/ring/resumption.js';
import { Recorder, SMALL_ENTRY, TestRegion } from './support.js';

const IDENTITY = 'boot 1, device 1';

interface ServeOptions {
  readonly identity?: string;
  readonly savedBytes?: number;
  readonly isIdempotent?: boolean;
  readonly resetRing?: () => void;
}

/** A region that consumers serve one after the other, with the journal between them. */
class Succession {
  readonly region = new TestRegion();
  buffer = new ArrayBuffer(Journal.bytesFor(this.region.ringSize));
  readonly reasons: string[] = [];

  get words(): Int32Array {
    return new Int32Array(this.buffer);
  }

  /** Another consumer; the one before it has never been heard of again. */
  serve(options: ServeOptions = {}): {
    recorder: Recorder;
    outcome: RecoveryOutcome | undefined;
    ring: CommandRing;
  } {
    const { identity = IDENTITY, savedBytes, isIdempotent = true } = options;
    const recorder = new Recorder();
    let outcome: RecoveryOutcome | undefined;
    const journal = new Journal(new JournalMemory(this.buffer), this.region.ringSize, identity, savedBytes);
    const ring = new CommandRing(
      this.region,
      Object.assign(recorder, { onRecovery: (found: RecoveryOutcome) => (outcome = found) }),
      {
        journal,
        isIdempotent: () => isIdempotent,
        resetRing: (reason) => {
          this.reasons.push(reason);
          options.resetRing?.();
          this.region.writer.head = this.region.writer.tail = 0;
        },
      },
    );
    ring.start();
    return { recorder, outcome, ring };
  }
}

describe('a ring with a journal', () => {
  let succession: Succession;
  beforeEach(() => (succession = new Succession()));

  /** Three commands, the last of which was answered in the first one's entry. */
  function leaveOvertaken(options?: ServeOptions): void {
    const { recorder } = succession.serve(options);
    for (const id of [1, 2, 3]) succession.region.command(id);
    succession.region.wake();
    recorder.commands[2].complete(0);
  }

  it('that nobody has served begins where it is, with what waits on it', () => {
    succession.region.command(1);
    const { outcome, recorder } = succession.serve();
    expect(outcome).to.deep.equal({ kind: 'fresh' });
    expect(recorder.ids).to.deep.equal([1]);
  });

  it('that is empty begins where it is, whatever the journal says', () => {
    leaveOvertaken();
    succession.region.writer.tail = succession.region.writer.head;
    expect(succession.serve({ identity: 'boot 2' }).outcome).to.deep.equal({ kind: 'fresh' });
    expect(succession.reasons).to.deep.equal([]);
  });

  it('gives the unfinished commands to the next consumer, in the ring’s order, and answers them once', () => {
    leaveOvertaken();
    const { outcome, recorder } = succession.serve();
    expect(outcome).to.deep.equal({ kind: 'resumed', unfinished: 2, interrupted: 0 });
    expect(recorder.ids).to.deep.equal([1, 2]);
    expect(succession.region.tails.at(-1)).to.equal(SMALL_ENTRY);
    recorder.commands[0].complete(0);
    recorder.commands[1].complete(0);
    expect([0, 1, 2].map((n) => succession.region.response(n * SMALL_ENTRY).id)).to.deep.equal([3, 1, 2]);
    expect(succession.region.tails.at(-1)).to.equal(3 * SMALL_ENTRY);
  });

  it('does not run a command twice that must not: it is given as interrupted, and fails', () => {
    leaveOvertaken({ isIdempotent: false });
    const { outcome, recorder } = succession.serve();
    expect(outcome).to.deep.equal({ kind: 'resumed', unfinished: 2, interrupted: 2 });
    expect(recorder.ids).to.deep.equal([]);
    expect([1, 2].map((n) => succession.region.response(n * SMALL_ENTRY).status)).to.deep.equal([2, 2]);
  });

  const losses: [string, RegExp, () => ServeOptions | void][] = [
    [
      'is missing',
      /there is no journal/,
      () => void (succession.buffer = new ArrayBuffer(succession.buffer.byteLength)),
    ],
    ['is of another boot', /of another device, or of another boot/, () => ({ identity: 'boot 2, device 1' })],
    ['is of another version', /another version/, () => void (succession.words[word.magic] ^= 1)],
    ['is of a ring of another size', /another size/, () => void (succession.words[word.ringSize] += 8)],
    [
      'does not have the kernel’s tail',
      /somebody else has served/,
      () => void (succession.region.writer.tail = 2 * SMALL_ENTRY),
    ],
    [
      'has a tail that is no entry',
      /tail 64, where no entry begins/,
      () => void (succession.words[word.tail] = 64),
    ],
    [
      'does not have as many commands as the ring',
      /0 commands are saved, but 1 entries/,
      () => {
        const journal = new Journal(
          new JournalMemory(succession.buffer),
          succession.region.ringSize,
          IDENTITY,
        );
        journal.saved.free(0);
      },
    ],
    ['had no room', /no room for all commands/, () => void (succession.words[word.incomplete] = 1)],
  ];
  for (const [what, reason, spoil] of losses) {
    it(`is reset, with the reason, where the journal ${what}`, () => {
      leaveOvertaken();
      succession.region.writer.tail = 0;
      // Where the journal is missing, the untouched ring of a new device looks otherwise: its ids are distinct.
      const { outcome, recorder } = succession.serve(spoil() ?? {});
      expect(succession.reasons.join()).to.match(reason);
      expect(outcome).to.deep.equal({ kind: 'reset', reason: succession.reasons[0] });
      expect(recorder.ids).to.deep.equal([]);
      succession.region.command(7);
      succession.region.wake();
      recorder.commands[0].complete(0);
      expect(succession.region.tails.at(-1)).to.equal(SMALL_ENTRY);
    });
  }

  it('is broken where it cannot be reset', () => {
    leaveOvertaken();
    const { recorder } = succession.serve({
      identity: 'boot 2',
      resetRing: () => {
        throw new Error('cannot write reset_ring');
      },
    });
    expect(recorder.broken.map(({ message }) => message)).to.deep.equal(['cannot write reset_ring']);
  });

  it('is broken where a saved entry is no command', () => {
    leaveOvertaken();
    // iov_cnt of the copy.
    const { saved } = new Journal(new JournalMemory(succession.buffer), succession.region.ringSize, IDENTITY);
    const [entry] = saved.load();
    saved.words[entry.at / 4 + 2] = 1000;
    const { recorder } = succession.serve();
    expect(recorder.broken).to.have.length(1);
    expect(recorder.ids).to.deep.equal([]);
  });

  it('says that it is incomplete while an overwritten command found no room, and no longer', () => {
    const { recorder } = succession.serve({ savedBytes: 256 });
    for (const id of [1, 2, 3, 4]) succession.region.command(id);
    succession.region.wake();
    recorder.commands[3].complete(0);
    expect(succession.words[word.incomplete]).to.equal(0);
    recorder.commands[2].complete(0);
    expect(succession.words[word.incomplete]).to.equal(1);
    recorder.commands[1].complete(0);
    expect(succession.words[word.incomplete]).to.equal(0);
    recorder.commands[0].complete(0);
    expect(succession.region.writer.tail).to.equal(4 * SMALL_ENTRY);
  });

  it('needs the journal’s memory to be large enough', () => {
    expect(() => new Journal(new JournalMemory(new ArrayBuffer(64)), 4096, IDENTITY)).to.throw(RangeError);
  });

  it('is not fooled by a head that is none', () => {
    leaveOvertaken();
    new DataView(succession.region.buffer).setUint32(mailbox.head, 12, true);
    succession.serve();
    expect(succession.reasons.join()).to.match(/head 12/);
  });

  it('survives whatever has become of its journal', () => {
    const header = fc.integer({ min: 0, max: word.headerSize - 1 });
    // Directory and saved entries are at the end, marks before them.
    const rest = fc.integer({ min: word.headerSize, max: succession.words.length - 1 });
    const first = succession.words.length - (2 * 1024 * 1024) / 4 - (2 * 1024 * 1024) / CHUNK;
    const saved = fc.integer({ min: first, max: first + (2 * 1024 * 1024) / CHUNK + 128 });
    const value = fc.oneof(
      fc.integer({ min: -2, max: 130 }),
      fc.integer({ min: 0, max: 64 }).map((n) => n * SMALL_ENTRY),
      fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
    );
    const damage = fc.array(fc.tuple(fc.oneof(header, header, rest, saved, saved), value), { minLength: 1 });
    fc.assert(
      fc.property(damage, fc.constantFrom(0, 1, 2), (words, answered) => {
        succession = new Succession();
        const { recorder } = succession.serve();
        for (const id of [1, 2, 3, 4]) succession.region.command(id);
        succession.region.wake();
        for (let n = 0; n < answered; n++) recorder.commands[3 - n].complete(2, new Uint8Array(18));
        for (const [index, changed] of words) succession.words[index] = changed;
        const { outcome, recorder: next } = succession.serve();
        // It is broken, or it is known what became of the commands, and those that go on can be answered.
        expect(next.broken.length > 0 || outcome !== undefined).to.equal(true);
        for (const command of next.commands) command.complete(0);
      }),
      { numRuns: 1000 },
    );
  });
});
