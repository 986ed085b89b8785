import { closeSync, constants, openSync, readSync } from 'node:fs';
import { uptime } from 'node:os';

/** Longer than the kernel makes a record of /dev/kmsg. */
const RECORD = 8192;
/** Records: a reader that is slower than the log's writers must come to an end. */
const MAX_RECORDS = 100_000;

export interface KernelMessage {
  /** Milliseconds since the epoch, about. */
  readonly time: number;
  readonly text: string;
}

/**
 * The kernel's messages, oldest first (Documentation/ABI/testing/dev-kmsg).
 * @returns nothing where they may not be read
 */
export function readKernelLog(path = '/dev/kmsg'): KernelMessage[] {
  const lines: KernelMessage[] = [];
  const boot = Date.now() - uptime() * 1000;
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
      lines.push({ time: boot + Number(microseconds) / 1000, text });
    }
  } finally {
    closeSync(fd);
  }
  return lines;
}
