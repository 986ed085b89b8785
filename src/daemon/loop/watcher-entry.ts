import { writeSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import { stackOfMainThread } from './blocked-stack.js';
import { describeStall, lookInterval, LoopObserver, type Stall } from './loop-observer.js';
import type { FromWatcher, WatchedDevice, WatcherStart } from './watcher-protocol.js';

/* The first file of the thread that watches the main thread's event loop. */

const port = parentPort;
if (!port) throw new Error('this file is for worker threads');
const { memory, threshold, commandNames, format } = workerData as WatcherStart;
const devices = new Map<number, string>();
const post = (message: FromWatcher): void => port.postMessage(message);

/** The main thread's log cannot be used: it is the main thread that does not answer. */
async function tell(stall: Stall): Promise<void> {
  const stack = await stackOfMainThread();
  const text = describeStall(stall, stack);
  const { where } = stall;
  const line =
    format === 'json'
      ? JSON.stringify({ level: 'warn', time: Date.now(), pid: process.pid, where, stack, msg: text })
      : `WARN: ${text}`;
  try {
    writeSync(2, `${line}\n`);
  } catch {
    // Nobody reads it.
  }
}

port.on('message', ({ index, name }: WatchedDevice) => devices.set(index, name));
const observer = new LoopObserver(
  { memory, threshold, commandNames, deviceName: (index) => devices.get(index) },
  performance.now(),
);
setInterval(() => {
  const stall = observer.look(performance.now());
  if (stall?.isOver) post({ kind: 'over', stall });
  else if (stall && format !== undefined) void tell(stall);
}, lookInterval(threshold));
post({ kind: 'ready' });
