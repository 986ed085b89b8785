import { writeSync } from 'node:fs';
import { hostname } from 'node:os';
import type { Logger, LogLevel } from '../log.js';
import { pretty } from '../pretty.js';

/** As pino has them. */
const severities: Readonly<Record<string, number>> = { debug: 20, info: 30, warn: 40, error: 50 };

/** Milliseconds between tries, where stderr is a pipe that takes no more for now. */
const FULL_WAIT = 100;

/** All of it, however long that takes. Where nobody reads it, it is lost. */
function writeToStderr(line: string): void {
  let rest = Buffer.from(line);
  while (rest.length > 0) {
    try {
      rest = rest.subarray(writeSync(2, rest));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') return;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, FULL_WAIT);
    }
  }
}

/**
 * The log of a thread that serves a handler of Lunette's own: the lines that createLog() writes, at once, too. There may
 * be many such threads, few of which ever say a thing, and each would load all of pino for it.
 */
export class LineLog implements Logger {
  level: string;
  readonly #host = hostname();
  readonly #isForPeople: boolean;
  #write: ((line: string) => void) | undefined;

  constructor(level: LogLevel, format: 'text' | 'json') {
    this.level = level;
    this.#isForPeople = format === 'text';
  }

  isLevelEnabled(level: string): boolean {
    return severities[level] >= severities[this.level];
  }

  debug(fields: unknown, message?: string): void {
    this.#line('debug', fields, message);
  }

  info(fields: unknown, message?: string): void {
    this.#line('info', fields, message);
  }

  warn(fields: unknown, message?: string): void {
    this.#line('warn', fields, message);
  }

  error(fields: unknown, message?: string): void {
    this.#line('error', fields, message);
  }

  /** @param first fields of the line, or the message where there are none */
  #line(level: LogLevel, first: unknown, message: string | undefined): void {
    if (!this.isLevelEnabled(level)) return;
    const [fields, msg] = typeof first === 'object' ? [first, message] : [undefined, first];
    const entry = { level, time: Date.now(), pid: process.pid, hostname: this.#host, ...fields, msg };
    this.#write ??= this.#open();
    this.#write(`${JSON.stringify(entry)}\n`);
  }

  #open(): (line: string) => void {
    if (!this.#isForPeople) return writeToStderr;
    const stream = pretty();
    return (line) => void stream.write(line);
  }
}
