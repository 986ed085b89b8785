/** A run of bytes of the region, as an iovec names it. */
export interface Run {
  /** Bytes from the start of the region. */
  readonly offset: number;
  /** Bytes. */
  readonly length: number;
}

/** Blocks of the data area that one command holds. */
export type Blocks = readonly number[];

/**
 * The data area of a region, handed out in blocks as target_core_user does: the lowest free ones first, never
 * cleared in between.
 */
export class DataArea {
  readonly #offset: number;
  readonly #used: Uint8Array;
  readonly #order: readonly number[];
  #free: number;
  #first = 0;

  /**
   * @param offset of the area in the region, bytes
   * @param blockSize bytes
   * @param fragmented hand out blocks that do not touch each other first
   */
  constructor(
    offset: number,
    readonly blockSize: number,
    blocks: number,
    fragmented = false,
  ) {
    this.#offset = offset;
    this.#used = new Uint8Array(blocks);
    this.#free = blocks;
    const order = Array.from({ length: blocks }, (_, index) => index);
    this.#order = fragmented
      ? [...order.filter((n) => n % 2 === 0), ...order.filter((n) => n % 2 === 1)]
      : order;
  }

  get blocks(): number {
    return this.#used.length;
  }

  get free(): number {
    return this.#free;
  }

  /** @returns undefined where too few blocks are free */
  allocate(bytes: number): Blocks | undefined {
    const count = Math.ceil(bytes / this.blockSize);
    if (count > this.#free) return undefined;
    const blocks: number[] = [];
    let at = this.#first;
    for (; blocks.length < count; at++) {
      const block = this.#order[at];
      if (this.#used[block]) continue;
      this.#used[block] = 1;
      blocks.push(block);
    }
    if (count > 0) this.#first = at;
    this.#free -= count;
    return blocks;
  }

  release(blocks: Blocks): void {
    for (const block of blocks) this.#used[block] = 0;
    this.#free += blocks.length;
    if (blocks.length > 0) this.#first = 0;
  }

  /** `bytes` of `blocks` as few runs: neighbours are merged, as the kernel merges them into one iovec. */
  runs(blocks: Blocks, bytes: number): Run[] {
    const runs: { offset: number; length: number }[] = [];
    for (const block of blocks) {
      const offset = this.#offset + block * this.blockSize;
      const length = Math.min(bytes, this.blockSize);
      bytes -= length;
      const last = runs.at(-1);
      if (last && last.offset + last.length === offset) last.length += length;
      else runs.push({ offset, length });
    }
    return runs;
  }
}
