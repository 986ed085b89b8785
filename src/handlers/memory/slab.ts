// HOT PATH: read() runs for each read.
import { native, type NativeBinding } from '../../native/addon.js';

/** The unit in which memory is counted and given back, in bytes. */
export const PAGE_SIZE = 64 * 1024;

/** The unit in which address space is taken, in bytes: not touched, it costs nothing. A huge page on most machines. */
export const SLAB_SIZE = 2 * 1024 * 1024;

const PAGES = SLAB_SIZE / PAGE_SIZE;

/** Page-aligned memory is copied a third faster than such as malloc gives. */
function allocate(): ArrayBuffer {
  try {
    return native().pageMemory(SLAB_SIZE);
  } catch {
    // No addon on this system.
    return new ArrayBuffer(SLAB_SIZE);
  }
}

type Read = NativeBinding['readPages'];

/** Without a view of every place: there would be so many that reading at random finds none of them in a cache. */
function reader(): Read {
  try {
    return native().readPages;
  } catch {
    return (memory, offset, buffer) => buffer.set(new Uint8Array(memory, offset, buffer.length));
  }
}

let readPages: Read | undefined;

/** A piece of a disk. What was never written, or was dropped, reads as zeroes. */
export class Slab {
  readonly bytes = new Uint8Array(allocate());
  readonly #memory = this.bytes.buffer;
  /** Not 0 for each page that counts as allocated. */
  readonly #allocated = new Uint8Array(PAGES);
  readonly #read = (readPages ??= reader());
  #pages = 0;

  /** Pages allocated. */
  get pages(): number {
    return this.#pages;
  }

  isAllocated(page: number): boolean {
    return this.#allocated[page] !== 0;
  }

  allocate(page: number): void {
    this.#allocated[page] = 1;
    this.#pages++;
  }

  /** Every page of it is allocated. */
  get full(): boolean {
    return this.#pages === PAGES;
  }

  /** Put it into a huge page. @returns whether this machine has any */
  async collapse(): Promise<boolean> {
    try {
      return await native().collapsePages(this.#memory);
    } catch {
      // No addon on this system.
      return false;
    }
  }

  /** A page's memory goes back to the machine. */
  drop(page: number): void {
    this.#allocated[page] = 0;
    this.#pages--;
    const at = page * PAGE_SIZE;
    try {
      native().dropPages(this.#memory, at, PAGE_SIZE);
    } catch {
      this.bytes.fill(0, at, at + PAGE_SIZE);
    }
  }

  /** Fill `buffer` from `at` on, bytes. */
  read(at: number, buffer: Uint8Array): void {
    this.#read(this.#memory, at, buffer);
  }
}
