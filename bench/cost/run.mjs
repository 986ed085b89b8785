import { spawn, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { Contestant } from '../ring/contestant.mjs';
import { buildNative } from '../ring/native.mjs';
import { checkout, say } from '../support/bench.mjs';
import { median, ratios, spread, spreadText } from '../support/median.mjs';
import { aboveZero, machine, runPart, wholeFrom } from '../support/part.mjs';
import { barOf } from '../support/plot.mjs';

/*
 * `npm run bench:cost`: what a command and an idle device cost: system calls, garbage, wake-ups, memory, and how long
 * the command takes to start. The ring's generator (bench/ring) makes the commands.
 */

const usage = `  --rounds N         how often each figure is taken (default 5)
  --commands N       in all rounds together, for counting garbage (default 1e7)
  --idle N           seconds to count wake-ups, in each round (default 3)

System calls are counted by strace; without it they are left out (Debian: apt-get install strace).`;

const options = {
  rounds: { type: 'string', default: '5' },
  commands: { type: 'string', default: '1e7' },
  idle: { type: 'string', default: '3' },
};

const checks = { rounds: wholeFrom(1), commands: wholeFrom(1), idle: aboveZero };

const DISK_BYTES = 128 * 2 ** 20;

const load = {
  depth: 32,
  bytes: 4096,
  reads: 50,
  fill: false,
  diskBytes: DISK_BYTES,
  stamps: true,
  milliseconds: 2000,
  commands: 0,
  copies: true,
  wakeEach: true,
  spinMicroseconds: 200,
  cpu: os.availableParallelism() > 1 ? 1 : -1,
};

/** Counted in the thread that serves, by strace; undefined where there is none. */
async function systemCalls(contestant) {
  const strace = spawn('strace', ['-c', '-p', String(contestant.pid)], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let report = '';
  let present = true;
  strace.on('error', () => (present = false));
  strace.stderr.setEncoding('utf8').on('data', (text) => (report += text));
  const ended = new Promise((resolve) => strace.on('close', resolve));
  await sleep(500);
  if (!present) return undefined;
  const { commands } = await contestant.run(load);
  strace.kill('SIGINT');
  await ended;
  // `100.00    0.123456           1    123456      1234 total`
  const total = /^\s*100\.00\s+\S+\s+\S*\s+(\d+).*total$/m.exec(report);
  return total ? Number(total[1]) / commands : undefined;
}

/** Of all threads: how often they were put to sleep. */
function sleeps(pid) {
  return readdirSync(`/proc/${pid}/task`)
    .map((thread) => readFileSync(`/proc/${pid}/task/${thread}/status`, 'utf8'))
    .reduce((sum, status) => sum + Number(/^voluntary_ctxt_switches:\s+(\d+)/m.exec(status)[1]), 0);
}

const residentMiB = (pid) =>
  Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) / 1024;

/** Milliseconds that a run of Node takes. */
function startUp(args) {
  const start = performance.now();
  const { status } = spawnSync(process.execPath, args);
  if (status !== 0) throw new Error(`node ${args.join(' ')} ended with ${status}`);
  return performance.now() - start;
}

/** A memory disk that is served, filled and warm. */
async function startServing(cpu, how = {}) {
  const what = { consumer: 'lunette', storage: 'memory', diskBytes: DISK_BYTES, cpu, ...how };
  const contestant = await Contestant.start(what);
  const fill = { ...load, fill: true, bytes: 65536, depth: 8, milliseconds: 0 };
  await contestant.run({ ...fill, commands: DISK_BYTES / 65536 });
  await contestant.run(load);
  return contestant;
}

/** Wake-ups a second and MiB of a process with a device that nobody uses. */
async function measureIdle(cpu, idle) {
  const quiet = await Contestant.start({ consumer: 'lunette', storage: 'null', diskBytes: DISK_BYTES, cpu });
  await sleep(1000);
  const before = sleeps(quiet.pid);
  await sleep(idle * 1000);
  const wakeUps = (sleeps(quiet.pid) - before) / idle;
  const resident = residentMiB(quiet.pid);
  await quiet.stop();
  return { wakeUps, resident };
}

/** Of `commands`: what they allocate, and the collections it takes without a profiler. */
async function measureGarbage(contestant, commands) {
  const warm = { ...load, milliseconds: 0, commands };
  const { scavenges } = await contestant.run(warm);
  const { allocated } = await contestant.run({ ...warm, sample: true });
  const bytes = allocated.reduce((sum, [, size]) => sum + size, 0) / commands;
  return { scavengesPerMillion: (scavenges / commands) * 1e6, bytes, allocated };
}

/** Calls by function, as far as they are worth a line. */
function nativeCallsByName(outcomes) {
  const sums = new Map();
  const commands = outcomes.reduce((sum, outcome) => sum + outcome.commands, 0);
  for (const [name, count] of outcomes.flatMap(({ calls }) => calls)) {
    sums.set(name, (sums.get(name) ?? 0) + count);
  }
  return [...sums].map(([name, count]) => [name, count / commands]).sort(([, a], [, b]) => b - a);
}

async function measure({ rounds, commands, idle }) {
  const cpu = load.cpu < 0 ? -1 : 0;
  const figures = { calls: [], nativeCalls: [], version: [], node: [], outcomes: [], idle: [], garbage: [] };
  // One whose calls are counted is slower, and allocates.
  const counted = await startServing(cpu, { countCalls: true });
  const contestant = await startServing(cpu);
  try {
    for (let round = 1; round <= rounds; round++) {
      figures.version.push(startUp([join(checkout, 'dist/cli/main.js'), '--version']));
      figures.node.push(startUp(['-e', '0']));
      figures.idle.push(await measureIdle(cpu, idle));
      figures.calls.push(await systemCalls(contestant));
      const outcome = await counted.run(load);
      const calls = outcome.calls.reduce((sum, [, count]) => sum + count, 0);
      figures.outcomes.push(outcome);
      figures.nativeCalls.push(calls / outcome.commands);
      figures.garbage.push(await measureGarbage(contestant, Math.ceil(commands / rounds)));
      say(`round ${round} of ${rounds}`);
    }
  } finally {
    await contestant.stop();
    await counted.stop();
  }
  return figures;
}

/** @returns what is said, by round, with its goal */
function tabulate(figures) {
  const of = (name) => figures.garbage.map((one) => one[name]);
  const row = (measure, byRound, { goal, digits = 2 } = {}) => {
    return { measure, byRound, figure: median(byRound), spread: spread(byRound), goal, digits };
  };
  const rows = [
    row('N-API calls a command, memory handler, 4 KiB, QD32', figures.nativeCalls, { digits: 3 }),
    row('bytes of garbage a command', of('bytes'), { goal: 0, digits: 3 }),
    row(
      'garbage, MiB a million commands',
      of('bytes').map((bytes) => (bytes * 1e6) / 2 ** 20),
      { goal: 0 },
    ),
    row('collections of young garbage a million commands', of('scavengesPerMillion'), { goal: 0 }),
    row(
      "wake-ups a second of an idle device's process",
      figures.idle.map(({ wakeUps }) => wakeUps),
      { digits: 1 },
    ),
    row(
      'RSS of a process with one idle device, MiB',
      figures.idle.map(({ resident }) => resident),
      { goal: 60, digits: 0 },
    ),
    row('lunette --version, ms', figures.version, { goal: 80, digits: 0 }),
    row('lunette --version, to an empty Node', ratios(figures.version, figures.node)),
  ];
  if (figures.calls.includes(undefined)) return rows;
  const name = 'system calls a command, memory handler, 4 KiB, QD32';
  return [row(name, figures.calls, { goal: 0.2, digits: 3 }), ...rows];
}

function chart(rows) {
  const bars = rows
    .filter(({ goal }) => goal > 0)
    .map(({ measure, byRound, figure, goal }) => {
      const shares = byRound.map((one) => one / goal);
      return barOf(measure, shares, { value: figure / goal, goal: 1 });
    });
  return {
    title: 'What a command, a device and a start cost',
    axis: 'share of the goal, which is the most',
    bars,
  };
}

async function main(values, { build, save }) {
  build();
  buildNative();
  const figures = await measure(values);
  const rows = tabulate(figures);
  say(`\n${machine()}; ${values.rounds} rounds, ${values.commands} commands for garbage\n`);
  say('| measure | figure | spread | goal | to the goal |\n| --- | ---: | ---: | ---: | ---: |');
  for (const { measure: what, byRound, figure, goal, digits } of rows) {
    const share = goal > 0 ? (figure / goal).toFixed(2) : '';
    say(`| ${what} | ${figure.toFixed(digits)} | ${spreadText(byRound)} | ${goal ?? ''} | ${share} |`);
  }
  if (figures.calls.includes(undefined)) {
    say(
      '\nSystem calls were not counted: there is no strace (Debian: apt-get install strace), or it may not attach.',
    );
  }
  say('\nAllocated in the last round, bytes a command:');
  const { allocated } = figures.garbage.at(-1);
  const each = values.commands / values.rounds;
  for (const [name, size] of allocated.slice(0, 5)) say(`  ${(size / each).toFixed(4)}  ${name}`);
  say('\nN-API calls and callbacks, a command:');
  const nativeCalls = nativeCallsByName(figures.outcomes);
  for (const [name, count] of nativeCalls.slice(0, 8)) say(`  ${count.toFixed(4)}  ${name}`);

  const { rounds, commands, idle } = values;
  const report = {
    setting: { rounds, commands, idle },
    rows,
    nativeCalls,
    allocated: allocated.slice(0, 20),
  };
  await save(report, [chart(rows)]);
}

await runPart({ name: 'cost', usage, options, checks, main });
