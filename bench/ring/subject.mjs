import { Session } from 'node:inspector/promises';
import { constants, PerformanceObserver } from 'node:perf_hooks';
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { LoopWatch } from '../../dist/daemon/loop/loop-watch.js';
import { Device } from '../../dist/device/device.js';
import { configure } from '../../dist/handlers/cfgstring.js';
import { file } from '../../dist/handlers/file/index.js';
import { memory } from '../../dist/handlers/memory/index.js';
import { nullHandler } from '../../dist/handlers/null/index.js';
import { native } from '../../dist/native/addon.js';
import { mailbox } from '../../dist/ring/abi.js';
import { JournalMemory } from '../../dist/ring/journal-memory.js';
import { Journal } from '../../dist/ring/journal.js';
import { threadRings } from '../../dist/ring/ring-group.js';
import { NativeCalls } from './native-calls.mjs';
import { loadNative } from './native.mjs';
import { createRegion } from './region.mjs';

/*
 * A process with one ring, what consumes it, and the generator that feeds it. Told by messages to run loads.
 */

const { values } = parseArgs({
  options: {
    /** lunette, or c. */
    consumer: { type: 'string' },
    /** null, memory, or file. */
    storage: { type: 'string' },
    /** The verbs of lunette's disk return resolved promises. */
    asynchronous: { type: 'boolean', default: false },
    /** Of the file. */
    path: { type: 'string', default: '' },
    /** More of the file handler's options. */
    options: { type: 'string', default: '' },
    'disk-bytes': { type: 'string' },
    /** Where the consumer runs; -1: anywhere. */
    cpu: { type: 'string', default: '-1' },
    /** Each outcome says which functions of the addon were called, and how often. */
    'count-calls': { type: 'boolean', default: false },
  },
});

const nativeCalls = values['count-calls'] ? new NativeCalls() : undefined;

const diskBytes = Number(values['disk-bytes']);
const write = (message) => process.stderr.write(`${message}\n`);
const log = {
  debug: () => undefined,
  info: () => undefined,
  warn: write,
  error: write,
  isLevelEnabled: () => true,
};

/** A disk whose verbs are `async` functions around those of another. */
class AsynchronousDisk {
  constructor(inner) {
    this.inner = inner;
    this.size = inner.size;
    this.blockSize = inner.blockSize;
  }

  async read(buffer, offset) {
    this.inner.read(buffer, offset);
  }

  async write(buffer, offset) {
    this.inner.write(buffer, offset);
  }
}

async function openDisk() {
  const handler = { null: nullHandler, memory, file }[values.storage];
  const cfgstring = values.storage === 'file' ? `${values.path}${values.options}` : '';
  const disk = await handler.open(configure(handler, cfgstring), { size: diskBytes, blockSize: 512, log });
  return values.asynchronous ? new AsynchronousDisk(disk) : disk;
}

/** As the daemon has it: in a mapped file. */
function openJournal(region, folder) {
  const ringSize = new Uint32Array(region.buffer, 0, mailbox.size / 4)[mailbox.ringSize >> 2];
  const mapped = new (native().MappedFile)(join(folder, 'journal'), Journal.bytesFor(ringSize));
  return {
    journal: new Journal(new JournalMemory(mapped.buffer), ringSize, 'bench'),
    resetRing: () => undefined,
    close: () => mapped.close(),
  };
}

/** The whole of lunette, with the settings that `lunette serve` has by default. */
async function serve(region, folder) {
  const device = new Device({
    name: 'bench',
    region,
    disk: await openDisk(),
    log,
    loopMarks: new LoopWatch({ threshold: 1000, format: 'text', log }).marks,
    journal: openJournal(region, folder),
    freeKeptBuffer: () => undefined,
    rings: threadRings(),
  });
  device.start();
}

const cpu = Number(values.cpu);
const region = createRegion();
const { Generator, Consumer, pin } = loadNative();
// This thread, and no other one of Node's: what they are for is done elsewhere.
pin(cpu);
// On /dev/shm, as /run is: not on a disk.
const folder = mkdtempSync('/dev/shm/lunette-bench-');
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));

if (values.consumer === 'lunette') await serve(region, folder);
// Kept by the region's listener for as long as this process lives.
else
  globalThis.consumer = new Consumer(region.descriptors, {
    storage: values.storage,
    diskBytes,
    path: values.path,
    cpu,
  });

const generator = new Generator(region.descriptors);

/** Collections of young garbage. */
let scavenges = 0;
new PerformanceObserver((list) => {
  for (const { detail } of list.getEntries())
    if (detail.kind === constants.NODE_PERFORMANCE_GC_MINOR) scavenges++;
}).observe({ entryTypes: ['gc'] });

/** @returns bytes allocated while `job` ran, by function, largest first */
async function sampleHeap(job) {
  const session = new Session();
  session.connect();
  await session.post('HeapProfiler.enable');
  await session.post('HeapProfiler.startSampling', {
    samplingInterval: 512,
    includeObjectsCollectedByMajorGC: true,
    includeObjectsCollectedByMinorGC: true,
  });
  await job();
  const { profile } = await session.post('HeapProfiler.stopSampling');
  session.disconnect();
  const bytes = new Map();
  const visit = ({ callFrame: { functionName, url }, selfSize, children }) => {
    const name = `${functionName || '(anonymous)'} ${url.split('/').slice(-2).join('/')}`;
    if (selfSize > 0) bytes.set(name, (bytes.get(name) ?? 0) + selfSize);
    children.forEach(visit);
  };
  visit(profile.head);
  return [...bytes].sort(([, a], [, b]) => b - a);
}

async function run({ sample = false, ...load }) {
  const before = process.cpuUsage();
  const scavengesBefore = scavenges;
  nativeCalls?.counts.clear();
  let outcome;
  const generate = async () => (outcome = await generator.run(load));
  const allocated = sample ? await sampleHeap(generate) : await generate().then(() => undefined);
  const { user, system } = process.cpuUsage(before);
  // What the process used besides the generator's thread.
  const consumerSeconds = (user + system) / 1e6 - outcome.cpuSeconds;
  const calls = nativeCalls && [...nativeCalls.counts];
  return { ...outcome, consumerSeconds, allocated, scavenges: scavenges - scavengesBefore, calls };
}

process.on('message', (load) => {
  run(load).then(
    (outcome) => process.send({ outcome }),
    (error) => process.send({ error: error.message }),
  );
});
process.on('disconnect', () => process.exit());

// The first command gets a unit attention, whatever it is.
const first = {
  depth: 1,
  bytes: 4096,
  reads: 100,
  fill: false,
  diskBytes,
  stamps: false,
  milliseconds: 0,
  commands: 1,
};
await run({ ...first, copies: false, wakeEach: true, spinMicroseconds: 0, cpu: -1 });
process.send({ ready: true });
