// HOT PATH: view() runs for each read.
import { native } from '../../native/addon.js';

/** The unit in which memory is counted and given back, in bytes. */
export const PAGE_SIZE = 64 * 1024;

/**
 * The unit in which address space is taken, in bytes: not touched, it costs nothing. One ArrayBuffer for so many bytes,
 * because reading at random meets the objects that describe memory as often as the memory itself.
 */
export const SLAB_SIZE = 2 * 1024 * 1024;

const PAGES = SLAB_SIZE / PAGE_SIZE;

/** Shortest views that are kept, as a power of two. */
const SHORTEST = 9;

/** Page-aligned memory is copied a third faster than such as malloc gives. */
function allocate(): ArrayBuffer {
  try {
    return native().pageMemory(SLAB_SIZE);
  } catch {
    // No addon on this system.
    return new ArrayBuffer(SLAB_SIZE);
  }
}

/** A piece of a disk. What was never written, or was dropped, reads as zeroes. */
export class Slab {
  readonly bytes = new Uint8Array(allocate());
  /** Not 0 for each page that counts as allocated. */
  readonly #allocated = new Uint8Array(PAGES);
  /** Views by the power of two that is their length, and by their place. */
  readonly #views: (Uint8Array | undefined)[][] = [];
  /** Pages allocated. */
  pages = 0;

  isAllocated(page: number): boolean {
    return this.#allocated[page] !== 0;
  }

  allocate(page: number): void {
    this.#allocated[page] = 1;
    this.pages++;
  }

  /** A page's memory goes back to the machine. */
  drop(page: number): void {
    this.#allocated[page] = 0;
    this.pages--;
    const at = page * PAGE_SIZE;
    try {
      native().dropPages(this.bytes.buffer, at, PAGE_SIZE);
    } catch {
      this.bytes.fill(0, at, at + PAGE_SIZE);
    }
  }

  /** A view of `length` bytes at `at`; kept for the next time where they are aligned to their length. */
  view(at: number, length: number): Uint8Array {
    const power = 31 - Math.clz32(length);
    if (length !== 1 << power || (at & (length - 1)) !== 0 || power < SHORTEST) {
      return this.bytes.subarray(at, at + length);
    }
    const views = this.#views[power - SHORTEST] ?? this.#addViews(power);
    return (views[at >>> power] ??= this.bytes.subarray(at, at + length));
  }

  #addViews(power: number): (Uint8Array | undefined)[] {
    while (this.#views.length <= power - SHORTEST) {
      const length = SLAB_SIZE >>> (SHORTEST + this.#views.length);
      this.#views.push(new Array<undefined>(length).fill(undefined));
    }
    return this.#views[power - SHORTEST];
  }
}
