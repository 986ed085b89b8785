import type { Worker } from 'node:worker_threads';
import { loopMemory } from '../../device/loop-marks.js';
import type { Logger } from '../log.js';
import { stackOfWorker } from './blocked-stack.js';
import { describeStall, lookInterval, LoopObserver, type Stall } from './loop-observer.js';
import { commandNames } from './loop-watch.js';

export interface ThreadWatchOptions {
  /** Milliseconds that a thread's event loop may be kept from turning. */
  readonly threshold: number;
  readonly log: Pick<Logger, 'warn'>;
}

/** A thread that serves one device, as it is watched. */
export interface WatchedThread {
  /** For the LoopMarks of the thread. */
  readonly memory: SharedArrayBuffer;
  /** The thread, once there is one. */
  worker?: Worker;
  /** The device's name, once it is known. */
  device?: string;
}

/** Looks from the main thread at the event loops of threads that it started, without a thread of its own. */
export class ThreadWatch {
  readonly #options: ThreadWatchOptions;
  readonly #names = commandNames();
  readonly #watched = new Map<WatchedThread, LoopObserver>();
  #timer: NodeJS.Timeout | undefined;

  constructor(options: ThreadWatchOptions) {
    this.#options = options;
  }

  /** Watch one more thread, as soon as its event loop leaves marks. */
  add(): WatchedThread {
    const { threshold } = this.#options;
    const thread: WatchedThread = { memory: loopMemory() };
    const observer = new LoopObserver(
      {
        memory: thread.memory,
        threshold,
        commandNames: this.#names,
        deviceName: (index) => (index < 0 ? undefined : thread.device),
      },
      performance.now(),
    );
    this.#watched.set(thread, observer);
    this.#timer ??= setInterval(() => this.#look(), lookInterval(threshold)).unref();
    return thread;
  }

  /** It has ended. */
  remove(thread: WatchedThread): void {
    this.#watched.delete(thread);
    if (this.#watched.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #look(): void {
    const now = performance.now();
    for (const [thread, observer] of this.#watched) {
      const stall = observer.look(now);
      if (stall) void this.#tell(thread, stall);
    }
  }

  async #tell({ worker, device }: WatchedThread, stall: Stall): Promise<void> {
    const stack = stall.isOver || !worker ? [] : await stackOfWorker(worker.threadId);
    const text = describeStall(stall, stack);
    const { where } = stall;
    this.#options.log.warn({ device, where, stack }, device === undefined ? text : `${device}: ${text}`);
  }
}
