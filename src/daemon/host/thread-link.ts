import { Worker } from 'node:worker_threads';
import type { HostLink, LinkListener } from './host-link.js';
import type { FromHost, HostStart, ToHost } from './protocol.js';

/** TypeScript where Lunette itself runs from its sources. */
const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';

/** A thread of this process that serves a device. */
export class ThreadLink implements HostLink {
  readonly pid = process.pid;
  readonly #worker: Worker;

  constructor(start: HostStart, listener: LinkListener) {
    const worker = new Worker(new URL(`thread-entry.${extension}`, import.meta.url), {
      workerData: start,
      name: 'device host',
    });
    this.#worker = worker;
    let reason: string | undefined;
    worker.on('message', (message: FromHost) => listener.onMessage(message));
    worker.on('error', (error: Error) => (reason = error.stack ?? error.message));
    worker.on('exit', (status) => listener.onExit(reason ?? `it ended with status ${status}`));
  }

  post(message: ToHost): void {
    this.#worker.postMessage(message);
  }

  kill(): void {
    void this.#worker.terminate();
  }
}
