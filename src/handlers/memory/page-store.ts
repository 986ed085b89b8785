// HOT PATH: read and write run for each command. Whole chunks and pages are copied without making a view.
import { errnoError } from '../errno-error.js';
import type { Extent } from '../contract.js';
import { appendExtent } from '../extents.js';
import { formatSize } from '../options.js';

/** The unit of allocation, in bytes. */
export const PAGE_SIZE = 64 * 1024;

/** Views of this length, in bytes, are kept for reading parts of a page. */
const CHUNK_SIZE = 4096;

/** How many pages one call of `extents` looks at: a bound to the time it takes. */
const EXTENT_PAGES = 65536;

class Page {
  readonly bytes = new Uint8Array(PAGE_SIZE);
  /** Made when a part of the page is first read. */
  #chunks: Uint8Array[] | undefined;

  get chunks(): Uint8Array[] {
    return (this.#chunks ??= Array.from({ length: PAGE_SIZE / CHUNK_SIZE }, (_, index) =>
      this.bytes.subarray(index * CHUNK_SIZE, (index + 1) * CHUNK_SIZE),
    ));
  }

  /** Copy `length` bytes from `within` this page to `target` at `at`. */
  copyTo(target: Uint8Array, at: number, within: number, length: number): void {
    if (length === PAGE_SIZE) {
      target.set(this.bytes, at);
    } else if (within % CHUNK_SIZE === 0 && length % CHUNK_SIZE === 0) {
      const { chunks } = this;
      const first = within / CHUNK_SIZE;
      for (let done = 0; done < length; done += CHUNK_SIZE) {
        target.set(chunks[first + done / CHUNK_SIZE], at + done);
      }
    } else {
      target.set(this.bytes.subarray(within, within + length), at);
    }
  }
}

/** Bytes at offsets; what was never written, or was cleared, costs nothing and reads as zeroes. */
export class PageStore {
  /** Bytes that may be allocated. */
  limit: number;
  readonly #pages = new Map<number, Page>();

  /** @param limit bytes that may be allocated */
  constructor(limit = Infinity) {
    this.limit = limit;
  }

  /** Bytes. */
  get allocated(): number {
    return this.#pages.size * PAGE_SIZE;
  }

  read(buffer: Uint8Array, offset: number): void {
    let index = Math.floor(offset / PAGE_SIZE);
    let within = offset - index * PAGE_SIZE;
    for (let at = 0; at < buffer.length; index++) {
      const length = Math.min(PAGE_SIZE - within, buffer.length - at);
      const page = this.#pages.get(index);
      if (page) page.copyTo(buffer, at, within, length);
      else buffer.fill(0, at, at + length);
      at += length;
      within = 0;
    }
  }

  /** @throws ENOSPC at the limit; what fitted before it is written */
  write(buffer: Uint8Array, offset: number): void {
    let index = Math.floor(offset / PAGE_SIZE);
    let within = offset - index * PAGE_SIZE;
    if (within + buffer.length <= PAGE_SIZE) {
      this.#page(index).set(buffer, within);
      return;
    }
    for (let at = 0; at < buffer.length; index++) {
      const length = Math.min(PAGE_SIZE - within, buffer.length - at);
      this.#page(index).set(buffer.subarray(at, at + length), within);
      at += length;
      within = 0;
    }
  }

  #page(index: number): Uint8Array {
    let page = this.#pages.get(index);
    if (!page) {
      if (this.allocated + PAGE_SIZE > this.limit) {
        throw errnoError('ENOSPC', `the disk's limit of ${formatSize(this.limit)} of memory is reached`);
      }
      page = new Page();
      this.#pages.set(index, page);
    }
    return page.bytes;
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
    // Whichever is fewer: a range may be a terabyte, and a map may hold a million pages.
    if (last - first < this.#pages.size) {
      for (let index = first; index < last; index++) this.#pages.delete(index);
    } else {
      for (const index of this.#pages.keys()) if (index >= first && index < last) this.#pages.delete(index);
    }
  }

  #zero(index: number, from: number, to: number): void {
    if (from < to) this.#pages.get(index)?.bytes.fill(0, from, to);
  }

  /** What is allocated in the range, beginning at `offset`; a long range is answered in part. */
  extents(offset: number, length: number): Extent[] {
    const extents: Extent[] = [];
    const first = Math.floor(offset / PAGE_SIZE);
    const end = Math.min(offset + length, (first + EXTENT_PAGES) * PAGE_SIZE);
    for (let at = offset, index = first; at < end; index++) {
      const next = Math.min((index + 1) * PAGE_SIZE, end);
      appendExtent(extents, at, next - at, !this.#pages.has(index));
      at = next;
    }
    return extents;
  }
}
