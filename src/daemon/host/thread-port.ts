import { parentPort, type MessagePort } from 'node:worker_threads';
import type { HostPort } from './host-main.js';
import type { FromHost, ToHost } from './protocol.js';

/** @throws Error in the main thread */
export function threadPort(): HostPort {
  const port: MessagePort | null = parentPort;
  if (!port) throw new Error('this file is for worker threads');
  return {
    post: (message: FromHost) => port.postMessage(message),
    onMessage: (listener) => void port.on('message', (message: ToHost) => listener(message)),
    close: () => port.close(),
    isMainThread: false,
  };
}
