import { readv, writev } from 'node:fs';
import { native } from '../../native/addon.js';
import type { Done } from '../contract.js';
import { errnoError } from '../errno-error.js';
import { AlignedBuffers } from './aligned-buffers.js';

/** One buffer, which needs no array made for it, or several that follow each other. */
export type Buffers = Uint8Array | readonly Uint8Array[];

/** Moves bytes between buffers and one open file; all of them, or it fails with an errno error. */
export interface Transfer {
  read(buffers: Buffers, offset: number): Done;
  write(buffers: Buffers, offset: number): Done;
}

/** One that is given lists. */
export interface ListTransfer {
  read(buffers: readonly Uint8Array[], offset: number): Done;
  write(buffers: readonly Uint8Array[], offset: number): Done;
}

function listed(buffers: Buffers): readonly Uint8Array[] {
  return buffers instanceof Uint8Array ? [buffers] : buffers;
}

export function totalLength(buffers: Buffers): number {
  if (buffers instanceof Uint8Array) return buffers.length;
  let total = 0;
  for (const buffer of buffers) total += buffer.length;
  return total;
}

/** What is left of `buffers` after the first `done` bytes. */
export function remaining(buffers: Buffers, done: number): readonly Uint8Array[] {
  if (buffers instanceof Uint8Array) return [buffers.subarray(done)];
  let index = 0;
  while (done >= buffers[index].length) done -= buffers[index++].length;
  return [buffers[index].subarray(done), ...buffers.slice(index + 1)];
}

/** A read at the end of the file, or a write that the system does not carry out, moves nothing. */
export function nothingMoved(path: string, verb: string, offset: number): Error {
  return errnoError(
    'EIO',
    verb === 'read'
      ? `${path} ends at byte ${offset}, inside the disk: it was truncated underneath`
      : `${path} took nothing at byte ${offset}`,
  );
}

/** Node says which file it opened, but not which it read. */
export function withPath(error: Error, path: string): Error {
  error.message = `${path}: ${error.message}`;
  return error;
}

type Callback = (error: Error | null, count: number) => void;
type AsyncCall = (fd: number, buffers: readonly Uint8Array[], offset: number, callback: Callback) => void;

/** In Node's thread pool: a slow file delays nobody else. */
export class AsyncTransfer implements Transfer {
  constructor(
    private readonly fd: number,
    private readonly path: string,
  ) {}

  read(buffers: Buffers, offset: number): Promise<void> {
    return this.#move('read', readv, listed(buffers), offset);
  }

  write(buffers: Buffers, offset: number): Promise<void> {
    return this.#move('write', writev, listed(buffers), offset);
  }

  #move(verb: string, call: AsyncCall, buffers: readonly Uint8Array[], offset: number): Promise<void> {
    const total = totalLength(buffers);
    return new Promise((resolve, reject) => {
      let done = 0;
      const next = (error: Error | null, count: number): void => {
        if (error) return reject(withPath(error, this.path));
        if (count === 0) return reject(nothingMoved(this.path, verb, offset + done));
        done += count;
        if (done >= total) return resolve();
        call(this.fd, remaining(buffers, done), offset + done, next);
      };
      call(this.fd, buffers, offset, next);
    });
  }
}

/** In this thread: the quickest way to data in the page cache, and everybody waits where it is not. */
export class SyncTransfer implements Transfer {
  constructor(
    private readonly fd: number,
    private readonly path: string,
  ) {}

  read(buffers: Buffers, offset: number): void {
    this.#move('read', buffers, offset);
  }

  write(buffers: Buffers, offset: number): void {
    this.#move('write', buffers, offset);
  }

  #move(verb: 'read' | 'write', buffers: Buffers, offset: number): void {
    const binding = native();
    const call = verb === 'read' ? 'preadv' : 'pwritev';
    const total = totalLength(buffers);
    for (let done = 0; done < total;) {
      const rest = done === 0 ? buffers : remaining(buffers, done);
      let count: number;
      try {
        count = binding[call](this.fd, rest, offset + done);
      } catch (error) {
        throw withPath(error as Error, this.path);
      }
      if (count === 0) throw nothingMoved(this.path, verb, offset + done);
      done += count;
    }
  }
}

/**
 * For O_DIRECT. The kernel's buffers are aligned most of the time, and where they are not it says EINVAL: then
 * the data takes the way through a buffer of our own.
 */
export class DirectTransfer implements Transfer {
  readonly #buffers = new AlignedBuffers();

  constructor(private readonly inner: ListTransfer) {}

  async read(all: Buffers, offset: number): Promise<void> {
    const buffers = listed(all);
    try {
      await this.inner.read(buffers, offset);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EINVAL') throw error;
      await this.#bounce(buffers, async (aligned) => {
        await this.inner.read([aligned], offset);
        let at = 0;
        for (const buffer of buffers) {
          buffer.set(aligned.subarray(at, at + buffer.length));
          at += buffer.length;
        }
      });
    }
  }

  async write(all: Buffers, offset: number): Promise<void> {
    const buffers = listed(all);
    try {
      await this.inner.write(buffers, offset);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EINVAL') throw error;
      await this.#bounce(buffers, async (aligned) => {
        let at = 0;
        for (const buffer of buffers) {
          aligned.set(buffer, at);
          at += buffer.length;
        }
        await this.inner.write([aligned], offset);
      });
    }
  }

  async #bounce(buffers: readonly Uint8Array[], move: (aligned: Uint8Array) => Promise<void>): Promise<void> {
    const length = totalLength(buffers);
    const buffer = this.#buffers.take(length);
    try {
      await move(buffer.subarray(0, length));
    } finally {
      this.#buffers.give(buffer);
    }
  }
}
