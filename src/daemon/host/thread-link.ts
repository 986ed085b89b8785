import type { Worker } from 'node:worker_threads';
import type { ThreadWatch, WatchedThread } from '../loop/thread-watch.js';
import { startThread } from '../start-thread.js';
import type { HostLink, LinkListener } from './host-link.js';
import type { FromHost, HostStart, ToHost } from './protocol.js';

/** Milliseconds that a thread has to load its modules before it is ended all the same. */
const LOAD_PATIENCE = 10_000;

/**
 * Mebibytes of each thread's heap for what has just been allocated. V8's own limit is for whole programs: loading the
 * modules takes what it gives, and keeps it. What serves commands allocates next to nothing.
 */
const YOUNG_GENERATION = 4;

/** The same for handlers that come with Lunette. */
const BUILT_IN_YOUNG_GENERATION = 2;

/** A thread of this process that serves a device. */
export class ThreadLink implements HostLink {
  readonly pid = process.pid;
  readonly #worker: Worker;
  readonly #watched: WatchedThread | undefined;
  #isLoading = true;
  #doom: NodeJS.Timeout | undefined;

  /** @param watch looks at its event loop */
  constructor(start: HostStart, listener: LinkListener, watch?: ThreadWatch) {
    const watched = watch?.add();
    const workerData: HostStart = { ...start, loopMemory: watched?.memory };
    const isBuiltIn = start.handlers.modules.length === 0;
    const options = {
      workerData,
      name: 'device host',
      resourceLimits: { maxYoungGenerationSizeMb: isBuiltIn ? BUILT_IN_YOUNG_GENERATION : YOUNG_GENERATION },
    };
    const worker = isBuiltIn
      ? startThread(new URL('built-in-thread-entry', import.meta.url), options, 'cjs')
      : startThread(new URL('thread-entry', import.meta.url), options);
    this.#worker = worker;
    if (watched) watched.worker = worker;
    this.#watched = watched;
    let reason: string | undefined;
    worker.on('message', (message: FromHost) => {
      // One that has failed may still be loading the rest, and ends by itself.
      if (message.kind !== 'failed') this.#loaded();
      listener.onMessage(message);
    });
    worker.on('error', (error: Error) => (reason = error.stack ?? error.message));
    worker.on('exit', (status) => {
      clearTimeout(this.#doom);
      if (watched) watch?.remove(watched);
      listener.onExit(reason ?? `it ended with status ${status}`);
    });
  }

  post(message: ToHost): void {
    if (this.#watched && message.call === 'open') {
      const { hba, name } = message.parameters.tcmu;
      this.#watched.device = `${hba}/${name}`;
    }
    this.#worker.postMessage(message);
  }

  /** A thread that was ended while Node loads its modules would leave the descriptors of those files open. */
  kill(): void {
    if (this.#isLoading)
      this.#doom ??= setTimeout(() => void this.#worker.terminate(), LOAD_PATIENCE).unref();
    else void this.#worker.terminate();
  }

  #loaded(): void {
    this.#isLoading = false;
    if (this.#doom) this.kill();
  }
}
