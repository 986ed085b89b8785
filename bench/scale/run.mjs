import { spawnSync } from 'node:child_process';
import os from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import process from 'node:process';
import { buildNative, loadNative } from '../ring/native.mjs';
import { createRegion } from '../ring/region.mjs';
import { StandInKernel } from '../stand-in/kernel.mjs';
import { checkout, say } from '../support/bench.mjs';
import { median, ratios, spread } from '../support/median.mjs';
import { aboveZero, isolations, machine, needRoot, oneOf, runPart, wholeFrom } from '../support/part.mjs';
import { barOf } from '../support/plot.mjs';

/*
 * `npm run bench:scale`: one `lunette serve` with more and more devices, in its own thread, in threads and in
 * processes, natively, with a stand-in for the kernel: throughput at the same total queue depth, CPU time, memory and
 * the time until it is ready. Beside it, what a minimal consumer in C++ makes of as many rings in one thread.
 */

const usage = `  --rounds N      turns of each number of devices (default 5)
  --seconds N     length of one run (default 2)
  --depth N       commands in flight in total, at least one for each device; may be repeated (default 64 and 1024)
  --devices N     may be repeated (default 1, 4, 16 and 64)
  --isolation I   none, thread, process, or C for the minimal consumer; may be repeated (default: each)`;

const MIB = 2 ** 20;
const DISK_BYTES = 64 * MIB;

/** As which a daemon serves, and the minimal consumer after the first, to which it compares. */
const [inThread, ...apart] = isolations;
const servedIn = [inThread, 'C', ...apart];

const options = {
  rounds: { type: 'string', default: '5' },
  seconds: { type: 'string', default: '2' },
  depth: { type: 'string', multiple: true, default: ['64', '1024'] },
  devices: { type: 'string', multiple: true, default: ['1', '4', '16', '64'] },
  isolation: { type: 'string', multiple: true, default: servedIn },
};

const checks = {
  rounds: wholeFrom(1),
  seconds: aboveZero,
  depth: wholeFrom(1),
  devices: wholeFrom(1),
  isolation: oneOf(servedIn),
};

/** Without that the scheduler may put the generator and what it feeds, which wake each other, on one CPU. */
const cpus = os.availableParallelism() > 1 ? { consumer: 0, generator: 1 } : { consumer: -1, generator: -1 };

/** Reads of a disk that holds nothing: what is measured is not the disk. */
const load = {
  bytes: 4096,
  reads: 100,
  fill: false,
  diskBytes: DISK_BYTES,
  stamps: false,
  copies: true,
  wakeEach: true,
  spinMicroseconds: 200,
  cpu: cpus.generator,
};

/**
 * @param generator of all rings, in one thread: with many of them the producer is the same as with one
 * @param depth in total
 * @param cpuTime seconds that the consumer has used so far; told those of the generator, which may be in its process
 */
async function throughput(generator, name, devices, seconds, depth, cpuTime) {
  const run = (more) => generator.run({ ...load, ...more });
  const each = Math.max(1, Math.floor(depth / devices));
  await run({ depth: each, milliseconds: 500, commands: 0 });
  const before = cpuTime(0);
  const outcome = await run({ depth: each, milliseconds: seconds * 1000, commands: 0 });
  const { errors, mismatches, stalled, commands } = outcome;
  if (errors + mismatches > 0 || stalled) {
    throw new Error(`${devices} devices, ${name}: ${JSON.stringify(outcome)}`);
  }
  const cpu = cpuTime(outcome.cpuSeconds) - before;
  return { depth, iops: commands / outcome.seconds, p99: outcome.p99, cpuPerMillion: (cpu / commands) * 1e6 };
}

/** @returns what came of each depth */
async function throughputs(generator, name, devices, { seconds, depth: depths }, cpuTime) {
  // The first command of a device gets a unit attention.
  await generator.run({ ...load, depth: 1, milliseconds: 0, commands: 1 });
  const loads = [];
  for (const depth of depths) {
    loads.push(await throughput(generator, name, devices, seconds, depth, cpuTime));
  }
  return loads;
}

/** One daemon, from its start to its end. */
async function measureDaemon(isolation, devices, options) {
  const kernel = new StandInKernel(
    Array.from({ length: devices }, () => ({ config: 'null/', size: DISK_BYTES })),
  );
  const daemon = kernel.serve(['--isolate', isolation]);
  try {
    const ready = await daemon.ready();
    // Its main thread, where all devices are: threads and processes go where there is room.
    if (isolation === 'none') loadNative().pin(cpus.consumer, daemon.pid);
    const memory = daemon.residentMemory();
    const loads = await throughputs(kernel.group, isolation, devices, options, () => daemon.cpuTime());
    return { ready, memory, busyMemory: daemon.residentMemory(), loads };
  } finally {
    await daemon.stop();
    kernel.close();
  }
}

/** The minimal consumer, all rings in one thread of this process. */
async function measureMinimal(devices, options) {
  const { Consumer, GeneratorGroup } = loadNative();
  const regions = Array.from({ length: devices }, createRegion);
  const rings = regions.map(({ descriptors }) => descriptors);
  const consumer = new Consumer(rings, { storage: 'null', diskBytes: DISK_BYTES, cpu: cpus.consumer });
  try {
    const cpuTime = (generator) => {
      const { user, system } = process.cpuUsage();
      return (user + system) / 1e6 - generator;
    };
    const generators = new GeneratorGroup(rings);
    return { loads: await throughputs(generators, 'the minimal consumer', devices, options, cpuTime) };
  } finally {
    consumer.close();
    for (const region of regions) region.close();
  }
}

function measure(isolation, devices, options) {
  return isolation === 'C' ? measureMinimal(devices, options) : measureDaemon(isolation, devices, options);
}

function versionTime() {
  const start = performance.now();
  const { status } = spawnSync(process.execPath, [join(checkout, 'dist/cli/main.js'), '--version']);
  if (status !== 0) throw new Error('lunette --version failed');
  return performance.now() - start;
}

/** @param runs of one isolation, by number of devices. @returns a row for each depth and number of devices */
function summarize(isolation, counts, depths, runs) {
  const least = counts[0];
  const of = (devices, name) => runs.get(devices).map((run) => run[name]);
  const middle = (devices, name) => {
    const figures = of(devices, name);
    return figures[0] === undefined ? undefined : median(figures);
  };
  return depths.flatMap((depth, index) => {
    const under = (devices, name) => runs.get(devices).map(({ loads }) => loads[index][name]);
    return counts.map((devices) => {
      const byRound = ratios(under(devices, 'iops'), under(least, 'iops'));
      const more = of(devices, 'memory').map((bytes, round) => bytes - of(least, 'memory')[round]);
      return {
        isolation,
        devices,
        depth,
        iops: median(under(devices, 'iops')),
        ratio: median(byRound),
        ratios: byRound,
        spread: spread(byRound),
        p99: median(under(devices, 'p99')),
        cpuPerMillion: median(under(devices, 'cpuPerMillion')),
        // What does not depend on the depth is told once.
        ...(index === 0 && {
          memory: middle(devices, 'memory'),
          busyMemory: middle(devices, 'busyMemory'),
          memoryEachMore:
            devices === least || isolation === 'C' ? undefined : median(more) / (devices - least),
          ready: middle(devices, 'ready'),
        }),
      };
    });
  });
}

const columns = [
  'served in',
  'devices',
  'in flight',
  'IOPS',
  'ratio (spread)',
  'p99 µs',
  'CPU s a million',
  'RSS MiB',
  'each more',
  'under load',
  'ready ms',
];

const names = {
  none: 'one thread',
  C: 'one thread, C',
  thread: 'threads',
  process: 'processes',
};

function row(one) {
  const mebibytes = (bytes) => (bytes === undefined ? '' : (bytes / MIB).toFixed(1));
  const cells = [
    names[one.isolation],
    one.devices,
    one.depth,
    Math.round(one.iops),
    `${one.ratio.toFixed(2)} (${Math.round(one.spread * 100)} %)`,
    Math.round(one.p99),
    one.cpuPerMillion.toFixed(2),
    mebibytes(one.memory),
    mebibytes(one.memoryEachMore),
    mebibytes(one.busyMemory),
    one.ready === undefined ? '' : Math.round(one.ready),
  ];
  return `| ${cells.join(' | ')} |`;
}

/** At 64 devices, of what one does. */
const THROUGHPUT_GOAL = 0.9;
/** MiB. */
const memoryGoals = { none: 0.5, thread: 8 };

function charts(rows) {
  const name = ({ isolation, devices, depth }) =>
    `${names[isolation]}, ${devices} devices, ${depth} in flight`;
  const least = Math.min(...rows.map(({ devices }) => devices));
  const more = rows.filter(({ devices }) => devices > least);
  const throughput = more.map((one) =>
    barOf(name(one), one.ratios, {
      value: one.ratio,
      goal: one.devices === 64 && one.isolation !== 'C' ? THROUGHPUT_GOAL : undefined,
    }),
  );
  const memory = more
    .filter(({ memoryEachMore }) => memoryEachMore !== undefined)
    .map((one) => ({
      name: `${names[one.isolation]}, ${one.devices} devices`,
      value: one.memoryEachMore / MIB,
      goal: memoryGoals[one.isolation],
    }));
  return [
    {
      title: 'Throughput of more devices',
      axis: 'ratio to that of the least number of devices',
      bars: throughput,
    },
    { title: 'Memory of each more device', axis: 'MiB', bars: memory },
  ];
}

async function main(values, { build, save }) {
  const { rounds, seconds, depth } = values;
  const counts = values.devices.sort((a, b) => a - b);
  needRoot('to play the kernel in a mount namespace');
  build();
  buildNative();
  const version = median(Array.from({ length: 2 * rounds + 1 }, versionTime));
  say(`${machine()}; null handler, 4 KiB reads, ${depth.join(' and ')} commands in flight in total`);
  say(`lunette --version: ${version.toFixed(0)} ms\n`);
  say(`| ${columns.join(' | ')} |\n| --- |${' ---: |'.repeat(columns.length - 1)}`);
  const rows = [];
  for (const isolation of values.isolation) {
    const runs = new Map(counts.map((devices) => [devices, []]));
    for (let round = 0; round < rounds; round++) {
      for (const devices of counts) {
        runs.get(devices).push(await measure(isolation, devices, { seconds, depth }));
      }
    }
    const summary = summarize(isolation, counts, depth, runs);
    rows.push(...summary);
    for (const one of summary) say(row(one));
  }
  await save({ setting: { rounds, seconds, depth }, version, rows }, charts(rows));
}

await runPart({ name: 'scale', usage, options, checks, main });
