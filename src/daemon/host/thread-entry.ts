import { parentPort, workerData } from 'node:worker_threads';
import { runHost } from './host-main.js';
import type { FromHost, HostStart, ToHost } from './protocol.js';

/* The first file of a thread that serves a device. */

const port = parentPort;
if (!port) throw new Error('this file is for worker threads');
await runHost(
  {
    post: (message: FromHost) => port.postMessage(message),
    onMessage: (listener) => void port.on('message', (message: ToHost) => listener(message)),
    close: () => port.close(),
    isMainThread: false,
  },
  workerData as HostStart,
);
