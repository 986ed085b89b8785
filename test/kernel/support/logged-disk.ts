import { closeSync, openSync, readSync, writeSync } from 'node:fs';
import { bash, run } from './run.js';

/** Of an entry's flags (drivers/md/dm-log-writes.c). */
const flag = { flush: 1, fua: 2, discard: 4, mark: 8 } as const;
const MAGIC = 0x6a736677736872n;

/** One write, discard, flush or mark, in the order in which they became stable or were made. */
export interface LogEntry {
  /** Bytes; where it is written to. */
  readonly offset: number;
  readonly length: number;
  readonly flushes: boolean;
  /** Stable by itself. */
  readonly stable: boolean;
  readonly discards: boolean;
  readonly mark?: string;
  /** Bytes; where the log has its data. */
  readonly data: number;
}

/**
 * A disk in memory that logs what is written to it, flushes included, by device mapper's log-writes; so that its
 * content can be had as a power failure at any moment would leave it.
 */
export class LoggedDisk {
  readonly path: string;
  readonly #name: string;
  readonly #size: number;
  readonly #log: string;

  private constructor(name: string, size: number, log: string) {
    this.#name = name;
    this.#size = size;
    this.#log = log;
    this.path = `/dev/mapper/${name}`;
  }

  /** @param size bytes */
  static async create(name: string, size: number): Promise<LoggedDisk> {
    await bash(`modprobe brd rd_nr=2 rd_size=$((1024 * 1024)); modprobe dm-mod; modprobe dm-log-writes; modprobe loop max_loop=4
      blkdiscard /dev/ram0 2>/dev/null || dd if=/dev/zero of=/dev/ram0 bs=1M count=${size >> 20} status=none
      dmsetup --noudevsync create ${name} --table '0 ${size / 512} log-writes /dev/ram0 /dev/ram1'
      dmsetup mknodes ${name}`);
    return new LoggedDisk(name, size, '/dev/ram1');
  }

  /** Note in the log that something was just done. */
  async mark(what: string): Promise<void> {
    await run('dmsetup', ['message', this.#name, '0', 'mark', what]);
  }

  async remove(): Promise<void> {
    await bash(`dmsetup --noudevsync remove ${this.#name}`);
  }

  /** After remove(): all that happened. */
  entries(): LogEntry[] {
    const fd = openSync(this.#log, 'r');
    try {
      const head = Buffer.alloc(512);
      readSync(fd, head, 0, 512, 0);
      if (head.readBigUInt64LE(0) !== MAGIC) throw new Error(`${this.#log} is no log of writes`);
      const count = Number(head.readBigUInt64LE(16));
      const sector = head.readUInt32LE(24);
      const entries: LogEntry[] = [];
      for (let at = sector; entries.length < count;) {
        readSync(fd, head, 0, 512, at);
        const [start, sectors, flags, length] = [0, 8, 16, 24].map((field) =>
          Number(head.readBigUInt64LE(field)),
        );
        const has = (one: number): boolean => (flags & one) !== 0;
        entries.push({
          offset: start * sector,
          length: sectors * sector,
          flushes: has(flag.flush),
          stable: has(flag.fua),
          discards: has(flag.discard),
          ...(has(flag.mark) && { mark: head.toString('utf8', 32, 32 + length).replace(/\0.*$/, '') }),
          data: at + sector,
        });
        at += sector + (has(flag.discard) ? 0 : sectors * sector);
      }
      return entries;
    } finally {
      closeSync(fd);
    }
  }

  /** Make files of what a power failure would leave. */
  replay(entries: readonly LogEntry[]): Replay {
    return new Replay(this.#log, entries, this.#size);
  }
}

/** Goes forward over a log. */
export class Replay {
  readonly #log: string;
  readonly #entries: readonly LogEntry[];
  readonly #base = '/dev/shm/replayed.img';
  /** Entries that are in the base: they were stable from the last flush on. */
  #applied = new Set<number>();

  constructor(log: string, entries: readonly LogEntry[], size: number) {
    this.#log = log;
    this.#entries = entries;
    closeSync(openSync(this.#base, 'w'));
    const fd = openSync(this.#base, 'r+');
    writeSync(fd, Buffer.alloc(1), 0, 1, size - 1);
    closeSync(fd);
  }

  /**
   * The disk where the power fails right after the first `count` entries: of what was not flushed by then, each
   * write is there or not. `count` must not fall from call to call.
   * @param image path of the file to make
   */
  async failAfter(count: number, image: string): Promise<void> {
    const before = this.#entries.slice(0, count);
    const flushed = before.findLastIndex(({ flushes }) => flushes);
    const unstable: number[] = [];
    const stable: number[] = [];
    for (const [index, entry] of before.entries()) {
      if (this.#applied.has(index) || entry.mark !== undefined || entry.length === 0) continue;
      (index < flushed || entry.stable ? stable : unstable).push(index);
    }
    this.#apply(stable, this.#base);
    for (const index of stable) this.#applied.add(index);
    await run('cp', ['--sparse=always', this.#base, image]);
    this.#apply(
      unstable.filter(() => Math.random() < 0.5),
      image,
    );
  }

  #apply(indexes: readonly number[], path: string): void {
    const log = openSync(this.#log, 'r');
    const image = openSync(path, 'r+');
    try {
      for (const index of indexes) {
        const { offset, length, data, discards } = this.#entries[index];
        const bytes = Buffer.alloc(length);
        if (!discards) readSync(log, bytes, 0, length, data);
        writeSync(image, bytes, 0, length, offset);
      }
    } finally {
      closeSync(log);
      closeSync(image);
    }
  }
}
