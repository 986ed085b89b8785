// HOT PATH: one call for each iovec.

/** Slots; the data area's blocks are pages, and the lowest ones are used again and again. */
const SLOTS = 4096;
const PAGE_SHIFT = 12;

/**
 * Views of the data area. Making one costs ten times what finding it again does, and is all that the garbage
 * collector would otherwise see of a command.
 */
export class SegmentCache {
  readonly #buffer: ArrayBuffer;
  readonly #views: (Uint8Array | undefined)[] = new Array<undefined>(SLOTS).fill(undefined);

  constructor(buffer: ArrayBuffer) {
    this.#buffer = buffer;
  }

  /** A view of `length` bytes at `offset` of the region; both were checked. */
  view(offset: number, length: number): Uint8Array {
    const slot = (offset >>> PAGE_SHIFT) & (SLOTS - 1);
    const cached = this.#views[slot];
    if (cached !== undefined && cached.byteOffset === offset && cached.length === length) return cached;
    return (this.#views[slot] = new Uint8Array(this.#buffer, offset, length));
  }
}
