import { parentPort, workerData } from 'node:worker_threads';
import { stepBack } from './priority.js';
import type { FromHost, HostStart, ToHost } from './protocol.js';

/* The first file of a thread that serves a device. */

const port = parentPort;
if (!port) throw new Error('this file is for worker threads');
const start = workerData as HostStart;
if (start.isSpare) stepBack();
// Most of the code, and so only now.
const { runHost } = await import('./host-main.js');
await runHost(
  {
    post: (message: FromHost) => port.postMessage(message),
    onMessage: (listener) => void port.on('message', (message: ToHost) => listener(message)),
    close: () => port.close(),
    isMainThread: false,
  },
  start,
);
