// HOT PATH: one call for each iovec.
import type { RingRegion } from './region.js';

/** Slots; the data area's blocks are pages, and the lowest ones are used again and again. */
const SLOTS = 4096;
const PAGE_SHIFT = 12;
/** How far apart segments of one block are whose lengths differ by a page: odd, so that they spread over all slots. */
const LENGTH_STRIDE = 389;

/**
 * Views of the data area. Making one costs ten times what finding it again does, and is all that the garbage
 * collector would otherwise see of a command.
 */
export class SegmentCache {
  readonly #region: Pick<RingRegion, 'buffer' | 'whole'>;
  /** What begins with the region, and how far it goes, in bytes. */
  #buffer: ArrayBuffer;
  #end: number;
  readonly #views: (Uint8Array | undefined)[] = new Array<undefined>(SLOTS).fill(undefined);
  /** Where the views begin and how long they are: V8 asks a view itself by a call. */
  readonly #offsets = new Float64Array(SLOTS);
  readonly #lengths = new Float64Array(SLOTS);

  constructor(region: Pick<RingRegion, 'buffer' | 'whole'>) {
    this.#region = region;
    this.#buffer = region.buffer;
    this.#end = region.buffer.byteLength;
  }

  /** A view of `length` bytes at `offset` of the region; both were checked. */
  view(offset: number, length: number): Uint8Array {
    // By the length too: one block begins short and long segments in turns.
    const slot = ((offset >>> PAGE_SHIFT) + Math.imul(length >>> PAGE_SHIFT, LENGTH_STRIDE)) & (SLOTS - 1);
    const cached = this.#views[slot];
    if (cached !== undefined && this.#offsets[slot] === offset && this.#lengths[slot] === length)
      return cached;
    if (offset + length > this.#end) this.#reach();
    this.#offsets[slot] = offset;
    this.#lengths[slot] = length;
    return (this.#views[slot] = new Uint8Array(this.#buffer, offset, length));
  }

  /** Have all of the region. */
  #reach(): void {
    this.#buffer = this.#region.whole?.() ?? this.#region.buffer;
    this.#end = this.#buffer.byteLength;
  }
}
