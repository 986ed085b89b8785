import { workerData } from 'node:worker_threads';
import { builtInDisks } from './built-in-disks.js';
import { runHost } from './host-main.js';
import { LineLog } from './line-log.js';
import type { HostStart } from './protocol.js';
import { threadPort } from './thread-port.js';

/* The first file of a thread that serves a device whose handler comes with Lunette. Built as a script: no await here. */

void runHost(
  threadPort(),
  workerData as HostStart,
  (level, format) => new LineLog(level, format),
  builtInDisks,
);
