import { LoopWatch } from '../device/loop-watch.js';
import { commandTable } from '../scsi/command-table.js';
import type { Logger } from './log.js';

export interface WatchLoopOptions {
  /** Milliseconds that the event loop may be kept from turning; 0 for ever. */
  readonly threshold: number;
  readonly format: 'text' | 'json';
  /** Whether this is the process's main thread: of another one no stack can be had. Default true. */
  readonly stacks?: boolean;
  readonly log: Pick<Logger, 'warn'>;
}

/** Names of commands by operation code. */
function commandNames(): string[] {
  const names: string[] = [];
  for (const { opcode, name } of commandTable) names[opcode] ??= name;
  return names;
}

/** Report what keeps this thread's event loop from turning. */
export function watchLoop({ threshold, format, stacks, log }: WatchLoopOptions): LoopWatch | undefined {
  if (threshold === 0) return undefined;
  return new LoopWatch({
    threshold,
    commandNames: commandNames(),
    format,
    stacks,
    onFailure: (error) => log.warn(`what blocks the event loop will not be found: ${error.message}`),
    onUnblocked: (milliseconds, what) =>
      log.warn(`the event loop turns again after ${milliseconds.toFixed(0)} ms: it was blocked ${what}`),
  });
}
