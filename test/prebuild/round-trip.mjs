// Runs in the copy that check.mjs makes, in its main thread and in a worker thread: loads the addon as the
// package does, and sends one wake-up and one doorbell through a MemoryRegion.
import assert from 'node:assert';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import process from 'node:process';
import { URL } from 'node:url';
import { Worker, isMainThread } from 'node:worker_threads';

const require = createRequire(import.meta.url);
const load = require('node-gyp-build');

assert(!existsSync('build'), 'build/ is there: the prebuild would not be what is loaded');
const { MemoryRegion } = load(process.cwd());

function roundTrip() {
  return new Promise((resolve) => {
    const consumer = new MemoryRegion(1 << 16);
    const producer = MemoryRegion.attach(consumer.descriptors);
    consumer.onCommand(() => {
      consumer.storeTail(consumer.loadHead());
      consumer.kick();
    });
    producer.onDoorbell(() => {
      assert.strictEqual(producer.loadTail(), 0x140);
      consumer.close();
      producer.close();
      assert.strictEqual(consumer.buffer.byteLength, 0);
      resolve();
    });
    producer.storeHead(0x140);
    producer.wake();
  });
}

await roundTrip();
if (isMainThread) {
  const worker = new Worker(new URL(import.meta.url));
  await new Promise((resolve, reject) => {
    worker.once('error', reject);
    worker.once('exit', (code) => (code === 0 ? resolve() : reject(new Error(`worker: exit ${code}`))));
  });
}
