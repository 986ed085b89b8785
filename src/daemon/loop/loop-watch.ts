import type { Worker } from 'node:worker_threads';
import { LoopMarks } from '../../device/loop-marks.js';
import { commandTable } from '../../scsi/command-table.js';
import type { Logger } from '../log.js';
import { startThread } from '../start-thread.js';
import { describeStall } from './loop-observer.js';
import type { FromWatcher, WatchedDevice, WatcherStart } from './watcher-protocol.js';

export interface LoopWatchOptions {
  /** Milliseconds that the event loop may be kept from turning. */
  readonly threshold: number;
  /** How the watching thread writes to stderr while the loop is blocked. */
  readonly format: 'text' | 'json';
  readonly log: Pick<Logger, 'warn' | 'isLevelEnabled'>;
}

/** Names of commands by operation code. */
export function commandNames(): string[] {
  const names: string[] = [];
  for (const { opcode, name } of commandTable) names[opcode] ??= name;
  return names;
}

/**
 * Finds out when something keeps the event loop of this process's main thread from turning, and what. Its thread is
 * started with the first device of this event loop, or by start(). One for a process.
 */
export class LoopWatch {
  /** For the devices that this event loop serves. */
  readonly marks: LoopMarks;
  readonly #options: LoopWatchOptions;
  #worker: Worker | undefined;
  #ready: Promise<void> | undefined;

  constructor(options: LoopWatchOptions) {
    this.#options = options;
    this.marks = new LoopMarks({
      threshold: options.threshold,
      onRegister: (index, name) => {
        void this.start();
        this.#worker?.postMessage({ index, name } satisfies WatchedDevice);
      },
    });
  }

  /** Watch from now on. Idempotent; never rejects. @returns fulfilled when the thread looks, or has failed */
  start(): Promise<void> {
    return (this.#ready ??= this.#start());
  }

  #start(): Promise<void> {
    this.marks.start();
    const { threshold, format, log } = this.#options;
    const start: WatcherStart = {
      memory: this.marks.memory,
      threshold,
      commandNames: commandNames(),
      ...(log.isLevelEnabled('warn') && { format }),
    };
    const worker = startThread(new URL('watcher-entry', import.meta.url), {
      workerData: start,
      name: 'loop watch',
      // Nothing of what this process was started with concerns it.
      execArgv: [],
    });
    this.#worker = worker;
    worker.unref();
    return new Promise((resolve) => {
      worker.on('message', (message: FromWatcher) => {
        if (message.kind === 'ready') resolve();
        else log.warn(describeStall(message.stall));
      });
      worker.on('error', (error) => {
        log.warn(`what blocks the event loop will not be found: ${error.message}`);
        resolve();
      });
      worker.on('exit', () => resolve());
    });
  }

  async close(): Promise<void> {
    this.marks.close();
    await this.#ready;
    await this.#worker?.terminate();
  }
}
