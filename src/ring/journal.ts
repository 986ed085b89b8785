// HOT PATH: record() and commit() run for every command; they allocate nothing.
import { OP_ALIGN, response } from './abi.js';
import type { JournalMemory } from './journal-memory.js';
import { MAGIC, mark, MARKS_SHIFT, MAX_IDENTITY, NONE, PLAIN, SECOND, redo, word } from './journal-layout.js';
import type { RingCommand } from './ring-command.js';
import { isPosition, SavedEntries } from './saved-entries.js';

/** Bytes for saved entries, unless told otherwise: a few thousand commands that others have overtaken. */
const SAVED_BYTES = 2 * 1024 * 1024;

/** The response that was being written when the journal was written last. */
export interface Redo {
  readonly slot: number;
  /** Undefined: GOOD, for the command of the entry itself. */
  readonly response:
    | {
        readonly commandId: number;
        readonly userFlags: number;
        readonly status: number;
        readonly readLength: number;
        readonly sense: Uint8Array | undefined;
      }
    | undefined;
}

/**
 * What the ring alone does not tell after a crash. The kernel lets any command be answered in the entry at the
 * tail, which destroys that entry's own request, and leaves the answered one's request on the ring.
 *
 * A response goes through these steps, each a store that follows the one before:
 * 1. save(): the entry at the tail, where it is another, unfinished command's
 * 2. record(): the whole response. From here on the command is finished, whatever happens
 * 3. the response is written into the ring
 * 4. commit(): the tail moves on
 * 5. settle(): the finished command's own entry, on the ring or saved, is marked or freed
 *
 * A crash before 2 leaves the command unfinished; after it, recovery does 3 to 5 once more.
 */
export class Journal {
  readonly #memory: JournalMemory;
  readonly #words: Int32Array;
  readonly #identity: string;
  readonly #ringSize: number;
  /** First word of the marks, and of what comes after them. */
  readonly #marks = word.headerSize;
  readonly #marksEnd: number;
  /** Entries that were overwritten while their commands were unfinished. */
  readonly saved: SavedEntries;

  /**
   * @param identity what the ring is: a journal of another one is not used. At most 508 bytes count
   * @throws RangeError where the memory is not as large as bytesFor() says
   */
  constructor(memory: JournalMemory, ringSize: number, identity: string, savedBytes = SAVED_BYTES) {
    const size = Journal.bytesFor(ringSize, savedBytes);
    if (memory.bytes.length < size) {
      throw new RangeError(`a journal of ${memory.bytes.length} bytes; a ring of ${ringSize} needs ${size}`);
    }
    this.#memory = memory;
    this.#words = memory.words;
    this.#ringSize = ringSize;
    this.#identity = identity;
    this.#marksEnd = this.#marks + marksWords(ringSize);
    this.saved = new SavedEntries(memory, this.#marksEnd, savedBytes);
  }

  /**
   * @param ringSize bytes of the command ring
   * @param savedBytes bytes for entries that are overwritten before their commands are finished
   */
  static bytesFor(ringSize: number, savedBytes = SAVED_BYTES): number {
    return 4 * (word.headerSize + marksWords(ringSize) + SavedEntries.wordsFor(savedBytes));
  }

  /** Begin anew, for a ring on which nothing is unfinished but what lies between `tail` and the head, untouched. */
  format(tail: number): void {
    const memory = this.#memory;
    memory.store(word.magic, 0);
    const identity = encodeIdentity(this.#identity);
    this.#words[word.identity] = identity.length;
    for (let index = 0; index < identity.length; index++) {
      memory.bytes[4 * (word.identity + 1) + index] = identity[index];
    }
    this.#words[word.ringSize] = this.#ringSize;
    this.#words[word.chunks] = this.saved.chunks;
    for (let index = this.#marks; index < this.#marksEnd; index++) {
      if (this.#words[index] !== 0) this.#words[index] = 0;
    }
    this.saved.clear();
    this.#words[word.incomplete] = 0;
    this.#words[word.tail] = tail;
    this.#words[word.published] = this.#words[word.publishedBefore] = tail;
    this.#words[word.slot] = NONE;
    memory.store(word.magic, MAGIC);
  }

  /** @returns why it is not this ring's journal; undefined where it is */
  mismatch(): string | undefined {
    const words = this.#words;
    if (words[word.magic] === 0) return 'there is no journal';
    if (words[word.magic] !== MAGIC) return 'the journal is of another version';
    const identity = encodeIdentity(this.#identity);
    const same = (byte: number, index: number): boolean =>
      this.#memory.bytes[4 * (word.identity + 1) + index] === byte;
    if (words[word.identity] !== identity.length || !identity.every(same)) {
      return 'the journal is of another device, or of another boot';
    }
    if (words[word.ringSize] !== this.#ringSize || words[word.chunks] !== this.saved.chunks) {
      return 'the journal is of a ring of another size';
    }
    return undefined;
  }

  /**
   * Whether it points anywhere that it cannot: the file has been in the hands of others. What it says of commands that
   * do exist may be wrong all the same.
   */
  get isDamaged(): boolean {
    return !this.#isRedoSound() || !this.saved.areSound(this.#ringSize);
  }

  #isRedoSound(): boolean {
    const words = this.#words;
    const slot = words[word.slot];
    if (slot === NONE) return true;
    if (!isPosition(slot & ~(PLAIN | SECOND), this.#ringSize)) return false;
    if ((slot & PLAIN) !== 0) return true;
    const body = slot & SECOND ? word.secondRedo : word.redo;
    const senseLength = words[body + redo.senseLength];
    const chunk = words[body + redo.chunk];
    const position = words[body + redo.position];
    return (
      senseLength >= NONE &&
      senseLength <= response.senseSize &&
      chunk >= NONE &&
      chunk < this.saved.chunks &&
      (position === NONE || isPosition(position, this.#ringSize))
    );
  }

  get tail(): number {
    return this.#words[word.tail];
  }

  /** Whether the kernel may have this tail. */
  mayBePublished(tail: number): boolean {
    return this.#words[word.published] === tail || this.#words[word.publishedBefore] === tail;
  }

  get isIncomplete(): boolean {
    return this.#words[word.incomplete] !== 0;
  }

  /** Before the kernel is told a tail. @param from the one it has */
  publish(from: number, tail: number): void {
    this.#memory.store(word.publishedBefore, from);
    this.#memory.store(word.published, tail);
  }

  /** This command is about to run, and must not run twice. */
  markStarted({ position, savedAt }: RingCommand): void {
    if (position !== NONE) this.#setMark(position, mark.started);
    else this.saved.markStarted(savedAt);
  }

  isStarted({ position, savedAt }: RingCommand): boolean {
    if (position !== NONE) return (this.#marksAt(position) & mark.started) !== 0;
    return this.saved.isStarted(savedAt);
  }

  /** Whether the command of the entry at this position, between tail and head, has its response elsewhere. */
  isFinished(position: number): boolean {
    return (this.#marksAt(position) & mark.finished) !== 0;
  }

  /**
   * Keep the entry that is about to be overwritten.
   * @param ring the region's words
   * @param at where the entry begins in the region, bytes
   * @param length of the entry, bytes
   */
  save(command: RingCommand, ring: Uint32Array, at: number, length: number): void {
    const chunk = this.saved.save(command.position, this.isStarted(command), ring, at, length);
    command.position = NONE;
    command.savedAt = chunk;
  }

  /**
   * The response that is about to be written. When this returns, the command is finished.
   * @param slot offset of the entry it goes to
   */
  record(
    slot: number,
    command: RingCommand,
    userFlags: number,
    status: number,
    sense: Uint8Array | undefined,
    readLength: number,
  ): void {
    const { position } = command;
    if (position === slot && status === 0 && userFlags === 0 && sense === undefined && readLength === 0) {
      return this.#memory.store(word.slot, slot | PLAIN);
    }
    const words = this.#words;
    const which = words[word.slot] & SECOND ? 0 : SECOND;
    const body = which === 0 ? word.redo : word.secondRedo;
    words[body + redo.commandId] = command.id;
    words[body + redo.userFlags] = userFlags;
    words[body + redo.status] = status;
    words[body + redo.readLength] = readLength;
    words[body + redo.position] = position;
    const chunk = position === NONE ? command.savedAt : NONE;
    words[body + redo.chunk] = chunk;
    words[body + redo.sequence] = chunk === NONE ? 0 : this.saved.sequenceOf(chunk);
    const senseLength = sense === undefined ? NONE : Math.min(sense.length, response.senseSize);
    words[body + redo.senseLength] = senseLength;
    if (sense !== undefined) {
      const { bytes } = this.#memory;
      const at = 4 * (body + redo.sense);
      for (let index = 0; index < senseLength; index++) bytes[at + index] = sense[index];
    }
    this.#memory.store(word.slot, slot | which);
  }

  /** The entry at the tail holds its response. @param tail what comes after it */
  commit(tail: number): void {
    this.#memory.store(word.tail, tail);
  }

  /** After commit(): what is left to be noted of a command that is finished. @param slot where its response is */
  settle(command: RingCommand, slot: number): void {
    const { position } = command;
    if (position === NONE) this.saved.finish(command.savedAt);
    else if (position !== slot) this.#setMark(position, mark.finished);
    this.clearMarks(slot);
  }

  /** Entries that take no response were passed. */
  skip(tail: number): void {
    // A redo record counts where its slot is the tail. Over a PAD the tail can come back to the same slot without a
    // new record.
    this.#memory.store(word.slot, NONE);
    this.#memory.store(word.tail, tail);
  }

  /** Forget what was marked about an entry that the tail has passed. */
  clearMarks(position: number): void {
    const marks = this.#marksAt(position);
    if (marks === 0) return;
    const index = this.#marks + (position >> MARKS_SHIFT);
    this.#memory.store(index, this.#words[index] & ~(marks << marksShift(position)));
  }

  #marksAt(position: number): number {
    return (this.#words[this.#marks + (position >> MARKS_SHIFT)] >>> marksShift(position)) & 3;
  }

  #setMark(position: number, which: number): void {
    const index = this.#marks + (position >> MARKS_SHIFT);
    this.#memory.store(index, this.#words[index] | (which << marksShift(position)));
  }

  /** The redo record; undefined where there is none. */
  readRedo(): Redo | undefined {
    const words = this.#words;
    const slot = words[word.slot];
    const body = slot & SECOND ? word.secondRedo : word.redo;
    if (slot === NONE) return undefined;
    if ((slot & PLAIN) !== 0) return { slot: slot & ~PLAIN, response: undefined };
    const length = words[body + redo.senseLength];
    const at = 4 * (body + redo.sense);
    return {
      slot: slot & ~SECOND,
      response: {
        commandId: words[body + redo.commandId],
        userFlags: words[body + redo.userFlags],
        status: words[body + redo.status],
        readLength: words[body + redo.readLength] >>> 0,
        sense:
          length === NONE ? undefined : Uint8Array.from({ length }, (_, n) => this.#memory.bytes[at + n]),
      },
    };
  }

  /** Settle the command of the redo record, whose response is on the ring: once more does no harm. */
  settleRedo(): void {
    const words = this.#words;
    const slot = words[word.slot];
    const body = slot & SECOND ? word.secondRedo : word.redo;
    // One in its own entry has nothing to settle; marks of entries behind the tail are swept.
    if (slot === NONE || (slot & PLAIN) !== 0) return;
    const chunk = words[body + redo.chunk];
    const position = words[body + redo.position];
    if (chunk !== NONE) {
      // Where it was freed already, the chunk may be another's by now.
      const isIts = this.saved.sequenceOf(chunk) === words[body + redo.sequence];
      if (isIts) this.saved.forget(chunk);
    } else if (position !== NONE && position !== (slot & ~SECOND)) this.#setMark(position, mark.finished);
  }

  /** Clear every mark but those of these entries. @param positions of all entries between tail and head */
  sweepMarks(positions: ReadonlySet<number>): void {
    for (let index = 0; index < this.#marksEnd - this.#marks; index++) {
      const marks = this.#words[this.#marks + index];
      if (marks === 0) continue;
      let keep = 0;
      for (let shift = 0; shift < 32; shift += 2) {
        if (positions.has((index << MARKS_SHIFT) + (shift / 2) * OP_ALIGN)) keep |= 3 << shift;
      }
      if ((marks & ~keep) !== 0) this.#memory.store(this.#marks + index, marks & keep);
    }
  }
}

function marksWords(ringSize: number): number {
  return Math.ceil(ringSize / 2 ** MARKS_SHIFT);
}

function marksShift(position: number): number {
  return (position >> 2) & 0x1e;
}

function encodeIdentity(identity: string): Uint8Array {
  return new TextEncoder().encode(identity).subarray(0, MAX_IDENTITY);
}
