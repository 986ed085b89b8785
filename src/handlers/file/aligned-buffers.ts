import { native } from '../../native/addon.js';

/** Enough for any device: no logical block is longer than a page. Bytes. */
const ALIGNMENT = 4096;

/** Longer buffers are not kept, in bytes; nor are more than so many of one length. */
const LONGEST_KEPT = 2 ** 20;
const MOST_KEPT = 32;

/** Buffers whose memory is aligned for O_DIRECT, kept for reuse by powers of two. */
export class AlignedBuffers {
  readonly #free = new Map<number, Uint8Array[]>();

  /** At least `length` bytes long; what it holds is undefined. */
  take(length: number): Uint8Array {
    const capacity = Math.max(ALIGNMENT, 2 ** Math.ceil(Math.log2(length)));
    return this.#free.get(capacity)?.pop() ?? new Uint8Array(native().alignedBuffer(capacity, ALIGNMENT));
  }

  give(buffer: Uint8Array): void {
    if (buffer.length > LONGEST_KEPT) return;
    let kept = this.#free.get(buffer.length);
    if (!kept) this.#free.set(buffer.length, (kept = []));
    if (kept.length < MOST_KEPT) kept.push(buffer);
  }
}
