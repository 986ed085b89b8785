// HOT PATH: save() and finish() run for each command that another one's answer overtakes; they allocate nothing.
import { COMMAND_ENTRY_MIN, OP_ALIGN } from './abi.js';
import { CHUNK, NONE, saved, word } from './journal-layout.js';
import type { JournalMemory } from './journal-memory.js';

const WORDS_A_CHUNK = CHUNK / 4;

/** An entry that was overwritten while its command was unfinished. */
export interface SavedEntry {
  readonly chunk: number;
  readonly sequence: number;
  /** Where it was in the ring. */
  readonly position: number;
  /** Where its copy is in the journal's memory, bytes. */
  readonly at: number;
  /** Bytes. */
  readonly length: number;
}

/** The part of a journal that holds copies of entries: a directory with a word for each chunk, then the chunks. */
export class SavedEntries {
  readonly #memory: JournalMemory;
  readonly #words: Int32Array;
  /** First word of the directory, and of the chunks. */
  readonly #directory: number;
  readonly #area: number;
  /** How many there can be, at least. */
  readonly chunks: number;
  /** Not 0 for chunks in use. */
  readonly #used: Uint8Array;
  #nextChunk = 0;
  #sequence = 0;
  /** Commands whose entries found no room. */
  #unsaved = 0;

  /**
   * @param start where they begin in the journal, words
   * @param bytes for the copies
   */
  constructor(memory: JournalMemory, start: number, bytes: number) {
    this.#memory = memory;
    this.#words = memory.words;
    this.chunks = Math.floor(bytes / CHUNK);
    this.#directory = start;
    this.#area = start + this.chunks;
    this.#used = new Uint8Array(this.chunks);
  }

  /** @param bytes for the copies */
  static wordsFor(bytes: number): number {
    return Math.floor(bytes / CHUNK) * (1 + WORDS_A_CHUNK);
  }

  /** There are none. */
  clear(): void {
    for (let index = this.#directory; index < this.#area; index++) {
      if (this.#words[index] !== 0) this.#words[index] = 0;
    }
    this.#used.fill(0);
    this.#unsaved = 0;
  }

  /** Whether they can be entries of a ring of `ringSize` bytes. */
  areSound(ringSize: number): boolean {
    for (let chunk = 0; chunk < this.chunks; chunk++) {
      if (this.sequenceOf(chunk) === 0) continue;
      const record = this.#record(chunk);
      const length = this.#words[record + saved.length];
      const fits = length >= COMMAND_ENTRY_MIN && chunk + chunksFor(length) <= this.chunks;
      if (!fits || length > ringSize || !isPosition(this.#words[record + saved.position], ringSize))
        return false;
    }
    return true;
  }

  /**
   * Keep the entry that is about to be overwritten.
   * @param position where it is in the ring
   * @param ring the region's words
   * @param at where the entry begins in the region, bytes
   * @param length of the entry, bytes
   * @returns the chunk; NONE where there is no room
   */
  save(position: number, started: boolean, ring: Uint32Array, at: number, length: number): number {
    const chunk = this.#allocate(length);
    if (chunk === NONE) {
      this.#unsaved++;
      this.#memory.store(word.incomplete, 1);
      return NONE;
    }
    const words = this.#words;
    const record = this.#record(chunk);
    words[record + saved.position] = position;
    words[record + saved.length] = length;
    words[record + saved.started] = started ? 1 : 0;
    const copy = record + saved.headerSize;
    for (let index = 0; index < length >> 2; index++) words[copy + index] = ring[(at >> 2) + index];
    this.#sequence = (this.#sequence + 1) & 0x7fffffff || 1;
    this.#memory.store(this.#directory + chunk, this.#sequence);
    return chunk;
  }

  /** @param chunk where save() put the entry; NONE where that found no room */
  markStarted(chunk: number): void {
    if (chunk !== NONE) this.#memory.store(this.#record(chunk) + saved.started, 1);
  }

  isStarted(chunk: number): boolean {
    return chunk !== NONE && this.#words[this.#record(chunk) + saved.started] !== 0;
  }

  /** Grows with each entry that is saved; 0 where none begins in the chunk. */
  sequenceOf(chunk: number): number {
    return this.#words[this.#directory + chunk];
  }

  /** An entry's command is finished. @param chunk where save() put it; NONE where that found no room */
  finish(chunk: number): void {
    if (chunk !== NONE) return this.free(chunk);
    if (--this.#unsaved === 0) this.#memory.store(word.incomplete, 0);
  }

  free(chunk: number): void {
    this.forget(chunk);
    const length = this.#words[this.#record(chunk) + saved.length];
    this.#used.fill(0, chunk, chunk + chunksFor(length));
  }

  /** As free(), before load(). */
  forget(chunk: number): void {
    this.#memory.store(this.#directory + chunk, 0);
  }

  /** Take stock of the entries, oldest first, and of the chunks they use: once, before anything is saved. */
  load(): SavedEntry[] {
    const words = this.#words;
    const entries: SavedEntry[] = [];
    this.#used.fill(0);
    for (let chunk = 0; chunk < this.chunks; chunk++) {
      const sequence = this.sequenceOf(chunk);
      if (sequence === 0) continue;
      const record = this.#record(chunk);
      const length = words[record + saved.length];
      entries.push({
        chunk,
        sequence,
        position: words[record + saved.position],
        at: 4 * (record + saved.headerSize),
        length,
      });
      this.#used.fill(1, chunk, chunk + chunksFor(length));
    }
    // Numbers begin anew after 2^31.
    entries.sort((a, b) => ((a.sequence - b.sequence) << 1) >> 1);
    this.#sequence = entries.at(-1)?.sequence ?? this.#sequence;
    return entries;
  }

  /** The journal's memory, for parsing entries: SavedEntry.at counts in it. */
  get bytes(): Uint8Array {
    return this.#memory.bytes;
  }

  /** The same as unsigned words. */
  get words(): Uint32Array {
    return new Uint32Array(this.#words.buffer, this.#words.byteOffset, this.#words.length);
  }

  #record(chunk: number): number {
    return this.#area + chunk * WORDS_A_CHUNK;
  }

  /** Chunks for an entry, side by side. @returns NONE where there are none */
  #allocate(length: number): number {
    const count = chunksFor(length);
    const used = this.#used;
    let run = 0;
    // Once round, and on a little so that a run over the place where it began is found.
    let at = this.#nextChunk;
    for (let tries = this.chunks + count; tries > 0; tries--) {
      if (at >= this.chunks) at = run = 0;
      if (this.chunks === 0) break;
      run = used[at++] === 0 ? run + 1 : 0;
      if (run === count) {
        for (let index = at - count; index < at; index++) used[index] = 1;
        this.#nextChunk = at;
        return at - count;
      }
    }
    return NONE;
  }
}

/** Whether an entry of a ring of so many bytes can begin there. */
export function isPosition(position: number, ringSize: number): boolean {
  return position >= 0 && position < ringSize && position % OP_ALIGN === 0;
}

function chunksFor(length: number): number {
  return Math.ceil((length + 4 * saved.headerSize) / CHUNK);
}
