import { closeSync, constants, openSync, readSync, writeFileSync } from 'node:fs';

/** Longer than the kernel makes a record of /dev/kmsg. */
const RECORD = 8192;
/** Records: a reader that is slower than the log's writers must come to an end. */
const MAX_RECORDS = 100_000;

export interface KernelMessage {
  /** Milliseconds of the clock that kernelNow() reads. */
  readonly time: number;
  readonly text: string;
}

/**
 * The kernel's messages, oldest first (Documentation/ABI/testing/dev-kmsg).
 * @returns nothing where they may not be read
 */
export function readKernelLog(path = '/dev/kmsg'): KernelMessage[] {
  const lines: KernelMessage[] = [];
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch {
    return lines;
  }
  const buffer = Buffer.alloc(RECORD);
  try {
    for (let count = 0; count < MAX_RECORDS; count += 1) {
      let length: number;
      try {
        length = readSync(fd, buffer, 0, RECORD, null);
      } catch (error) {
        // EPIPE: overwritten before it was read; the next read goes on behind it. EAGAIN: that was the last.
        if ((error as NodeJS.ErrnoException).code === 'EPIPE') continue;
        break;
      }
      if (length === 0) break;
      // "6,339,5140900,-;message\n KEY=value"
      const record = buffer.toString('utf8', 0, length);
      const [, , microseconds] = record.split(',', 3);
      const text = record.slice(record.indexOf(';') + 1).split('\n', 1)[0];
      lines.push({ time: Number(microseconds) / 1000, text });
    }
  } finally {
    closeSync(fd);
  }
  return lines;
}

/**
 * What the clock of the kernel's log says now, in milliseconds. No other clock goes as it does (it stands still while
 * the machine sleeps, for one), so a message of our own is put there.
 */
export function kernelNow(path = '/dev/kmsg'): number {
  const mark = `lunette doctor: pid ${process.pid} reads this log`;
  try {
    // Without the line's end the kernel would wait for more of it.
    writeFileSync(path, `${mark}\n`);
  } catch {
    // Not allowed: its time is missing below.
  }
  const marked = readKernelLog(path).findLast(({ text }) => text === mark);
  return marked && marked.time > 0 ? marked.time : Number(process.hrtime.bigint() / 1_000_000n);
}
