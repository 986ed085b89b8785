import { isatty } from 'node:tty';
import { pino, type Logger, type Level } from 'pino';
import { build as pretty } from 'pino-pretty';

export type { Logger } from 'pino';

export const logLevels = ['debug', 'info', 'warn', 'error'] as const satisfies readonly Level[];
export type LogLevel = (typeof logLevels)[number];

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
  const stream = isForPeople(format)
    ? pretty({
        destination: 2,
        sync: true,
        colorize: isatty(2),
        ignore: 'pid,hostname',
        translateTime: 'SYS:HH:MM:ss.l',
      })
    : pino.destination({ dest: 2, sync: true });
  return pino({ level, formatters: { level: (label) => ({ level: label }) } }, stream);
}
