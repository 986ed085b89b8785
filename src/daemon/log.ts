import { isatty } from 'node:tty';
import { pino, type Level, type Logger as PinoLogger } from 'pino';
import { pretty } from './pretty.js';

export const logLevels = ['debug', 'info', 'warn', 'error'] as const satisfies readonly Level[];
export type LogLevel = (typeof logLevels)[number];

/** What the daemon and its hosts log with. */
export type Logger = Pick<PinoLogger, LogLevel | 'level' | 'isLevelEnabled'>;

export const logFormats = ['auto', 'text', 'json'] as const;
export type LogFormat = (typeof logFormats)[number];

/** Whether the log is lines for people, not JSON. In a worker thread, process.stderr is never a terminal. */
export function isForPeople(format: LogFormat): boolean {
  return format === 'text' || (format === 'auto' && isatty(2));
}

/**
 * A log on stderr: lines for people on a terminal, JSON for programs elsewhere.
 * Written synchronously, so that the last words of a dying process are not lost.
 */
export function createLog(level: LogLevel = 'info', format: LogFormat = 'auto'): Logger {
  const stream = isForPeople(format) ? pretty() : pino.destination({ dest: 2, sync: true });
  return pino({ level, formatters: { level: (label) => ({ level: label }) } }, stream);
}
