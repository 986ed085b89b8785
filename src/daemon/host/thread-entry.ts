import { workerData } from 'node:worker_threads';
import { handlerRegistry } from '../handler-registry.js';
import { createLog } from '../log.js';
import { runHost } from './host-main.js';
import type { HostStart } from './protocol.js';
import { threadPort } from './thread-port.js';

/* The first file of a thread that serves a device whose handler may come from a module. */

await runHost(threadPort(), workerData as HostStart, createLog, ({ modules, prefix }) =>
  handlerRegistry(modules, prefix),
);
