import fs from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { native } from '../../../src/native/addon.js';

/** Bytes that a power failure leaves or loses as a whole. */
const SECTOR = 512;

interface Logged {
  /** Ticks of the log's clock. */
  readonly begun: number;
  /** Infinity until it has ended. */
  ended: number;
}

interface LoggedWrite extends Logged {
  readonly offset: number;
  bytes: Uint8Array;
}

type Writev = typeof fs.writev;

/** What reaches one file below the file handler, in order: writes, zeroing, flushes. */
export class WriteLog {
  readonly #inode: number;
  readonly #writes: LoggedWrite[] = [];
  readonly #flushes: Logged[] = [];
  readonly #undo: (() => void)[] = [];
  #clock = 0;

  private constructor(inode: number) {
    this.#inode = inode;
  }

  /** Record from now on; stop() must follow. */
  static async record(path: string): Promise<WriteLog> {
    const handle = await open(path);
    const log = new WriteLog((await handle.stat()).ino);
    log.#interceptWritev();
    log.#interceptNative();
    log.#interceptDatasync(Object.getPrototypeOf(handle) as FileHandle);
    await handle.close();
    return log;
  }

  stop(): void {
    for (const undo of this.#undo.splice(0)) undo();
  }

  /** A moment for whoever watches from above: later than all that happened before. */
  tick(): number {
    return ++this.#clock;
  }

  /** Moments after each flush. */
  get flushed(): number[] {
    return this.#flushes.map(({ ended }) => ended).filter(Number.isFinite);
  }

  /**
   * The file after a power failure: what was written before the last flush is there, of what was written since, a
   * random part of the sectors.
   * @param at tick @param random in [0, 1)
   */
  image(size: number, at: number, random: () => number): Uint8Array {
    const image = new Uint8Array(size);
    const flushes = this.#flushes.filter(({ ended }) => ended <= at);
    const safe = Math.max(0, ...flushes.map(({ begun }) => begun));
    for (const { begun, ended, offset, bytes } of this.#writes) {
      if (begun > at) continue;
      if (ended < safe) {
        image.set(bytes, offset);
        continue;
      }
      for (let start = 0; start < bytes.length; start += SECTOR) {
        if (random() < 0.5) image.set(bytes.subarray(start, start + SECTOR), offset + start);
      }
    }
    return image;
  }

  #begin(offset: number, bytes: Uint8Array): LoggedWrite {
    const write = { begun: this.tick(), ended: Infinity, offset, bytes };
    this.#writes.push(write);
    return write;
  }

  #isOurs(fd: number): boolean {
    return fs.fstatSync(fd).ino === this.#inode;
  }

  #interceptWritev(): void {
    const original = fs.writev;
    const intercepted = (fd: number, ...rest: [fs.WriteVResult['buffers'], number, never]): void => {
      const [buffers, offset, callback] = rest;
      if (!this.#isOurs(fd)) return original(fd, buffers, offset, callback);
      const write = this.#begin(offset, joined(buffers));
      original(fd, buffers, offset, (error, count, written) => {
        write.bytes = write.bytes.subarray(0, error ? 0 : count);
        write.ended = this.tick();
        (callback as Parameters<Writev>[3])(error, count, written);
      });
    };
    fs.writev = intercepted as unknown as Writev;
    syncBuiltinESMExports();
    this.#undo.push(() => {
      fs.writev = original;
      syncBuiltinESMExports();
    });
  }

  #interceptNative(): void {
    const binding = native();
    const pwritev = binding.pwritev.bind(binding);
    const pwriteNow = binding.pwriteNow.bind(binding);
    const punchHole = binding.punchHole.bind(binding);
    const zeroRange = binding.zeroRange.bind(binding);
    const zero =
      (original: typeof punchHole): typeof punchHole =>
      (fd, offset, length) => {
        const write = this.#begin(offset, new Uint8Array(length));
        original(fd, offset, length);
        write.ended = this.tick();
      };
    const write =
      (original: typeof pwritev): typeof pwritev =>
      (fd, buffers, offset) => {
        if (!this.#isOurs(fd)) return original(fd, buffers, offset);
        const entry = this.#begin(offset, buffers instanceof Uint8Array ? buffers.slice() : joined(buffers));
        const count = original(fd, buffers, offset);
        // Negative where pwriteNow() had to wait, and wrote nothing.
        entry.bytes = entry.bytes.subarray(0, Math.max(0, count));
        entry.ended = this.tick();
        return count;
      };
    Object.assign(binding, {
      pwritev: write(pwritev),
      pwriteNow: write(pwriteNow),
      punchHole: zero(punchHole),
      zeroRange: zero(zeroRange),
    });
    this.#undo.push(() => Object.assign(binding, { pwritev, pwriteNow, punchHole, zeroRange }));
  }

  #interceptDatasync(prototype: FileHandle): void {
    const original = Object.getOwnPropertyDescriptor(prototype, 'datasync');
    if (!original) throw new Error('FileHandle has no datasync');
    const datasync = original.value as (this: FileHandle) => Promise<void>;
    const begin = (): Logged => {
      const flush = { begun: this.tick(), ended: Infinity };
      this.#flushes.push(flush);
      return flush;
    };
    const end = (flush: Logged): void => {
      flush.ended = this.tick();
    };
    prototype.datasync = async function (this: FileHandle) {
      const flush = begin();
      await datasync.call(this);
      end(flush);
    };
    this.#undo.push(() => Object.defineProperty(prototype, 'datasync', original));
  }
}

function joined(buffers: readonly NodeJS.ArrayBufferView[]): Uint8Array {
  return Buffer.concat(
    buffers.map(({ buffer, byteOffset, byteLength }) => new Uint8Array(buffer, byteOffset, byteLength)),
  );
}
