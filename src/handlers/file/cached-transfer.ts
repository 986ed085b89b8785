// HOT PATH: read and write run for each command.
import { CANNOT_TELL, native } from '../../native/addon.js';
import type { Done } from '../contract.js';
import {
  nothingMoved,
  remaining,
  totalLength,
  withPath,
  type AsyncTransfer,
  type Buffers,
  type Transfer,
} from './transfer.js';

/** Longer transfers go to the threads: to copy them takes longer than to get there and back. Bytes. */
const LONGEST = 256 * 1024;

/** A write that took longer has waited for something. Milliseconds. */
const WAITED = 2;

/** How long writes go to the threads then, in milliseconds: at first, and at most. */
const FIRST_REST = 100;
const LONGEST_REST = 10_000;

/**
 * In the event loop what the page cache can do at once, in threads what has to wait for a device. Of reads the kernel
 * tells which those are. Of writes few file systems tell; elsewhere a write nearly always ends at once, and where one
 * did not, because too much is dirty, writes keep away from the event loop for a while.
 */
export class CachedTransfer implements Transfer {
  readonly #fd: number;
  readonly #path: string;
  readonly #threads: AsyncTransfer;
  #readsTell = true;
  #writesTell = true;
  readonly #mayTry: boolean;
  /** performance.now() from which on a write may be tried in the event loop. */
  #restsUntil = 0;
  #rest = FIRST_REST;

  /**
   * @param threads does what has to wait
   * @param mayTry writes may be tried where the file system does not tell: nothing but a device is waited for
   */
  constructor(fd: number, path: string, threads: AsyncTransfer, mayTry: boolean) {
    this.#fd = fd;
    this.#path = path;
    this.#threads = threads;
    this.#mayTry = mayTry;
  }

  read(buffers: Buffers, offset: number): Done {
    const total = totalLength(buffers);
    if (!this.#readsTell || total > LONGEST) return this.#threads.read(buffers, offset);
    let count: number;
    try {
      count = native().preadNow(this.#fd, buffers, offset);
    } catch (error) {
      throw withPath(error as Error, this.#path);
    }
    if (count === total) return;
    if (count === 0 && total > 0) throw nothingMoved(this.#path, 'read', offset);
    if (count === CANNOT_TELL) this.#readsTell = false;
    return this.#threads.read(count > 0 ? remaining(buffers, count) : buffers, offset + Math.max(0, count));
  }

  write(buffers: Buffers, offset: number): Done {
    const total = totalLength(buffers);
    if (total > LONGEST) return this.#threads.write(buffers, offset);
    let count: number;
    try {
      count = this.#writesTell ? native().pwriteNow(this.#fd, buffers, offset) : CANNOT_TELL;
      if (count === CANNOT_TELL) {
        this.#writesTell = false;
        if (this.#mayTry) count = this.#try(buffers, offset);
      }
    } catch (error) {
      throw withPath(error as Error, this.#path);
    }
    if (count === total) return;
    return this.#threads.write(count > 0 ? remaining(buffers, count) : buffers, offset + Math.max(0, count));
  }

  /** A write that may have to wait after all. @returns bytes, or CANNOT_TELL where it is better not tried */
  #try(buffers: Buffers, offset: number): number {
    const start = performance.now();
    if (start < this.#restsUntil) return CANNOT_TELL;
    const count = native().pwritev(this.#fd, buffers, offset);
    const end = performance.now();
    if (end - start < WAITED) {
      if (this.#rest > FIRST_REST) this.#rest /= 2;
    } else {
      this.#restsUntil = end + this.#rest;
      this.#rest = Math.min(2 * this.#rest, LONGEST_REST);
    }
    return count;
  }
}
