import { createRequire } from 'node:module';
import { isatty } from 'node:tty';
import { pino, type Logger, type Level } from 'pino';
import type { build } from 'pino-pretty';

export type { Logger } from 'pino';

export const logLevels = ['debug', 'info', 'warn', 'error'] as const satisfies readonly Level[];
export type LogLevel = (typeof logLevels)[number];

export const logFormats = ['auto', 'text', 'json'] as const;
export type LogFormat = (typeof logFormats)[number];

/** Whether the log is lines for people, not JSON. In a worker thread, process.stderr is never a terminal. */
export function isForPeople(format: LogFormat): boolean {
  return format === 'text' || (format === 'auto' && isatty(2));
}

/** Lines for people. Its code is loaded where it is wanted: 2 MiB for each thread. */
function pretty(): ReturnType<typeof build> {
  const { build: make } = createRequire(import.meta.url)('pino-pretty') as { build: typeof build };
  return make({
    destination: 2,
    sync: true,
    colorize: isatty(2),
    ignore: 'pid,hostname',
    translateTime: 'SYS:HH:MM:ss.l',
  });
}

/**
 * A log on stderr: lines for people on a terminal, JSON for programs elsewhere.
 * Written synchronously, so that the last words of a dying process are not lost.
 */
export function createLog(level: LogLevel = 'info', format: LogFormat = 'auto'): Logger {
  const stream = isForPeople(format) ? pretty() : pino.destination({ dest: 2, sync: true });
  return pino({ level, formatters: { level: (label) => ({ level: label }) } }, stream);
}
