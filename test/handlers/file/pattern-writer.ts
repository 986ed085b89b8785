import type { Initiator } from '../../../src/testing/initiator.js';

const BLOCK = 512;
/** Commands in flight at the same time. */
const DEPTH = 8;
const LONGEST = 16;

/** What a block was told to hold. */
interface Version {
  /** Ticks; Infinity until it was acknowledged. */
  readonly begun: number;
  ended: number;
  /** Undefined for zeroes. */
  readonly number: number | undefined;
  /** Whether its acknowledgement promises that it is stable. */
  readonly stable: boolean;
}

export interface PatternWriterOptions {
  readonly initiator: Initiator;
  readonly blocks: number;
  /** In [0, 1). */
  readonly random: () => number;
  /** A clock shared with the one who records what the disk does. */
  readonly tick: () => number;
  /** Every acknowledged write is stable: the write cache is off. */
  readonly writeThrough?: boolean;
}

/** Writes, zeroes and flushes at random, several at a time, and knows what a disk may hold at each moment. */
export class PatternWriter {
  readonly #options: PatternWriterOptions;
  readonly #versions: Version[][];
  readonly #flushes: { begun: number; ended: number }[] = [];
  readonly #busy = new Set<number>();
  #writes = 0;

  constructor(options: PatternWriterOptions) {
    this.#options = options;
    const empty = (): Version => ({ begun: 0, ended: 0, number: undefined, stable: true });
    this.#versions = Array.from({ length: options.blocks }, () => [empty()]);
  }

  /** Run so many commands to their end. */
  async run(commands: number): Promise<void> {
    let left = commands;
    const worker = async (): Promise<void> => {
      while (left-- > 0) await this.#command();
    };
    await Promise.all(Array.from({ length: DEPTH }, worker));
  }

  async #command(): Promise<void> {
    const { initiator, random, writeThrough = false } = this.#options;
    const kind = random();
    if (kind < 0.15) return this.#flush();
    const { lba, count } = this.#pick();
    const range = Array.from({ length: count }, (_, index) => lba + index);
    if (kind < 0.25) {
      return this.#change(range, undefined, writeThrough, () => initiator.writeSame(lba, count));
    }
    if (kind < 0.3) {
      return this.#change(range, undefined, false, () => initiator.unmap([{ lba, blocks: count }]));
    }
    const fua = kind < 0.45;
    const number = ++this.#writes;
    const data = Buffer.concat(range.map((block) => content(block, number)));
    return this.#change(range, number, fua || writeThrough, () => initiator.write(lba, data, { fua }));
  }

  async #flush(): Promise<void> {
    const flush = { begun: this.#options.tick(), ended: Infinity };
    this.#flushes.push(flush);
    await this.#options.initiator.flush();
    flush.ended = this.#options.tick();
  }

  /** Blocks that no command in flight writes to: of two at the same time nobody knows which is the later. */
  #pick(): { lba: number; count: number } {
    const { blocks, random } = this.#options;
    for (;;) {
      const count = 1 + Math.floor(random() * LONGEST);
      const lba = Math.floor(random() * (blocks - count));
      const range = Array.from({ length: count }, (_, index) => lba + index);
      if (range.every((block) => !this.#busy.has(block))) return { lba, count };
    }
  }

  async #change(
    range: readonly number[],
    number: number | undefined,
    stable: boolean,
    send: () => Promise<void>,
  ): Promise<void> {
    const version: Version = { begun: this.#options.tick(), ended: Infinity, number, stable };
    for (const block of range) {
      this.#busy.add(block);
      this.#versions[block].push(version);
    }
    await send();
    version.ended = this.#options.tick();
    for (const block of range) this.#busy.delete(block);
  }

  /**
   * Compare with what the disk may hold after a power failure.
   * @param at tick
   * @returns the first block that lost what it was promised to keep, or holds what was never written to it
   */
  fault(image: Uint8Array, at: number): string | undefined {
    const flushes = this.#flushes.filter(({ ended }) => ended <= at);
    const flushed = Math.max(0, ...flushes.map(({ begun }) => begun));
    for (const [block, versions] of this.#versions.entries()) {
      const begun = versions.filter((version) => version.begun <= at);
      const oldest = begun.findLastIndex(({ ended, stable }) => ended < flushed || (stable && ended <= at));
      const bytes = image.subarray(block * BLOCK, (block + 1) * BLOCK);
      const allowed = begun.slice(oldest);
      if (!allowed.some(({ number }) => content(block, number).equals(bytes))) {
        const wanted = allowed.map(({ number = 'zeroes' }) => number).join(', ');
        return `block ${block} at ${at}: not one of ${wanted}`;
      }
    }
    return undefined;
  }
}

/** Of a block in one of its versions. */
function content(block: number, number: number | undefined): Buffer {
  if (number === undefined) return Buffer.alloc(BLOCK);
  const bytes = Buffer.alloc(BLOCK, number & 0xff);
  bytes.writeUInt32BE(block, 0);
  bytes.writeUInt32BE(number, 4);
  return bytes;
}
