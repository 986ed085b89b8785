import { Worker } from 'node:worker_threads';
import type { HostLink, LinkListener } from './host-link.js';
import type { FromHost, HostStart, ToHost } from './protocol.js';

/*
 * Where Lunette itself runs from its sources, the thread needs the loader for TypeScript before its first file: what
 * `node --import` registers holds for the main thread alone.
 */
const fromSources = import.meta.url.endsWith('.ts');
const entry = new URL(`thread-entry.${fromSources ? 'ts' : 'js'}`, import.meta.url);
const bootstrap = `import('tsx/esm/api').then(({ register }) => {
  register();
  return import(${JSON.stringify(entry.href)});
});`;

/** A thread of this process that serves a device. */
export class ThreadLink implements HostLink {
  readonly pid = process.pid;
  readonly #worker: Worker;

  constructor(start: HostStart, listener: LinkListener) {
    const worker = new Worker(fromSources ? bootstrap : entry, {
      eval: fromSources,
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
