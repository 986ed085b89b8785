// HOT PATH: read and write run for each command. Nothing is allocated where a range lies in one slab.
import { errnoError } from '../errno-error.js';
import type { Extent } from '../contract.js';
import { appendExtent } from '../extents.js';
import { formatSize } from '../size-text.js';
import { HugePages } from './huge-pages.js';
import { PAGE_SIZE, Slab, SLAB_SIZE } from './slab.js';
import { SlabTable } from './slab-table.js';

export { PAGE_SIZE };

/** How many pages one call of `extents` looks at: a bound to the time it takes. */
const EXTENT_PAGES = 65536;

const PAGES_A_SLAB = SLAB_SIZE / PAGE_SIZE;

/** Bytes at offsets; what was never written, or was cleared, costs nothing and reads as zeroes. */
export class PageStore {
  /** Bytes that may be allocated. */
  limit: number;
  readonly #slabs = new SlabTable();
  readonly #hugePages = new HugePages();
  #pages = 0;

  /** @param limit bytes that may be allocated */
  constructor(limit = Infinity) {
    this.limit = limit;
  }

  /** Bytes. */
  get allocated(): number {
    return this.#pages * PAGE_SIZE;
  }

  read(buffer: Uint8Array, offset: number): void {
    let index = Math.floor(offset / SLAB_SIZE);
    let within = offset - index * SLAB_SIZE;
    if (within + buffer.length <= SLAB_SIZE) {
      this.#readSlab(index, within, buffer);
      return;
    }
    for (let at = 0; at < buffer.length; index++) {
      const length = Math.min(SLAB_SIZE - within, buffer.length - at);
      this.#readSlab(index, within, buffer.subarray(at, at + length));
      at += length;
      within = 0;
    }
  }

  #readSlab(index: number, within: number, buffer: Uint8Array): void {
    const slab = this.#slabs.get(index);
    if (slab === undefined) buffer.fill(0);
    else slab.read(within, buffer);
  }

  /** @throws ENOSPC at the limit; what fitted before it is written */
  write(buffer: Uint8Array, offset: number): void {
    let index = Math.floor(offset / SLAB_SIZE);
    let within = offset - index * SLAB_SIZE;
    if (within + buffer.length <= SLAB_SIZE) {
      this.#writeSlab(index, within, buffer);
      return;
    }
    for (let at = 0; at < buffer.length; index++) {
      const length = Math.min(SLAB_SIZE - within, buffer.length - at);
      this.#writeSlab(index, within, buffer.subarray(at, at + length));
      at += length;
      within = 0;
    }
  }

  #writeSlab(index: number, within: number, buffer: Uint8Array): void {
    let slab = this.#slabs.get(index);
    if (slab === undefined) this.#slabs.add(index, (slab = new Slab()));
    const last = Math.floor((within + buffer.length - 1) / PAGE_SIZE);
    const before = slab.pages;
    for (let page = Math.floor(within / PAGE_SIZE); page <= last; page++) {
      if (slab.isAllocated(page)) continue;
      if (this.allocated + PAGE_SIZE > this.limit) return this.#full(index, slab, within, page, buffer);
      slab.allocate(page);
      this.#pages++;
    }
    slab.bytes.set(buffer, within);
    if (slab.pages !== before && slab.full) this.#hugePages.add(slab);
  }

  /** Write what fits in front of a page that cannot be had. */
  #full(index: number, slab: Slab, within: number, page: number, buffer: Uint8Array): never {
    const fits = page * PAGE_SIZE - within;
    if (fits > 0) slab.bytes.set(buffer.subarray(0, fits), within);
    if (slab.pages === 0) this.#slabs.delete(index);
    throw errnoError('ENOSPC', `the disk's limit of ${formatSize(this.limit)} of memory is reached`);
  }

  /** Zeroes from `offset` on; pages that are covered wholly are freed. */
  clear(offset: number, length: number): void {
    const end = offset + length;
    const first = Math.ceil(offset / PAGE_SIZE);
    const last = Math.floor(end / PAGE_SIZE);
    if (first > last) {
      this.#zero(last, offset - last * PAGE_SIZE, end - last * PAGE_SIZE);
      return;
    }
    this.#zero(first - 1, offset - (first - 1) * PAGE_SIZE, PAGE_SIZE);
    this.#zero(last, 0, end - last * PAGE_SIZE);
    const firstSlab = Math.floor(first / PAGES_A_SLAB);
    const lastSlab = Math.ceil(last / PAGES_A_SLAB);
    // Whichever is fewer: a range may be a terabyte, and a map may hold a million slabs.
    if (lastSlab - firstSlab < this.#slabs.size) {
      for (let index = firstSlab; index < lastSlab; index++) this.#free(index, first, last);
    } else {
      for (const index of this.#slabs.indexes()) {
        if (index >= firstSlab && index < lastSlab) this.#free(index, first, last);
      }
    }
  }

  /** Free what a slab has of the pages from `first` to before `last`. */
  #free(index: number, first: number, last: number): void {
    const slab = this.#slabs.get(index);
    if (slab === undefined) return;
    const base = index * PAGES_A_SLAB;
    const from = Math.max(0, first - base);
    const to = Math.min(PAGES_A_SLAB, last - base);
    const before = slab.pages;
    this.#hugePages.remove(slab);
    if (from === 0 && to === PAGES_A_SLAB) {
      // With it goes its memory.
      this.#pages -= before;
      this.#slabs.delete(index);
      return;
    }
    for (let page = from; page < to; page++) if (slab.isAllocated(page)) slab.drop(page);
    this.#pages -= before - slab.pages;
    if (slab.pages === 0) this.#slabs.delete(index);
  }

  #zero(page: number, from: number, to: number): void {
    if (from >= to || !this.#isAllocated(page)) return;
    const at = (page % PAGES_A_SLAB) * PAGE_SIZE;
    this.#slabs.get(Math.floor(page / PAGES_A_SLAB))!.bytes.fill(0, at + from, at + to);
  }

  #isAllocated(page: number): boolean {
    return this.#slabs.get(Math.floor(page / PAGES_A_SLAB))?.isAllocated(page % PAGES_A_SLAB) ?? false;
  }

  /** What is allocated in the range, beginning at `offset`; a long range is answered in part. */
  extents(offset: number, length: number): Extent[] {
    const extents: Extent[] = [];
    const first = Math.floor(offset / PAGE_SIZE);
    const end = Math.min(offset + length, (first + EXTENT_PAGES) * PAGE_SIZE);
    for (let at = offset, index = first; at < end; index++) {
      const next = Math.min((index + 1) * PAGE_SIZE, end);
      appendExtent(extents, at, next - at, !this.#isAllocated(index));
      at = next;
    }
    return extents;
  }
}
