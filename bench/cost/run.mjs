import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Contestant } from '../ring/contestant.mjs';
import { buildNative } from '../ring/native.mjs';
import { checkout, say } from '../support/bench.mjs';
import { median } from '../support/median.mjs';

/*
 * `npm run bench:cost`: what a command and an idle device cost: system calls, garbage, wake-ups, memory, and how long
 * the command takes to start. The ring's generator (bench/ring) makes the commands.
 */

const usage = `npm run bench:cost -- [options]

  --commands N   for counting garbage (default 1e7)
  --idle N       seconds to count wake-ups (default 5)
  --json FILE    where the results go (default bench/results/cost.json)

System calls are counted by strace; without it they are left out.`;

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

/** Milliseconds that a run of the command takes, and of Node doing nothing. */
function startUp() {
  const time = (args) => {
    const times = Array.from({ length: 11 }, () => {
      const start = performance.now();
      spawnSync(process.execPath, args);
      return performance.now() - start;
    });
    return median(times);
  };
  return { version: time([join(checkout, 'dist/cli/main.js'), '--version']), node: time(['-e', '0']) };
}

async function main() {
  const { values } = parseArgs({
    options: {
      commands: { type: 'string', default: '1e7' },
      idle: { type: 'string', default: '5' },
      json: { type: 'string', default: join(checkout, 'bench/results/cost.json') },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return say(usage);
  const [commands, idle] = [Number(values.commands), Number(values.idle)];
  if (!(commands >= 1) || !(idle > 0)) throw new Error('--commands and --idle: numbers above 0');
  const { status } = spawnSync('npm', ['run', '--silent', 'build'], { cwd: checkout, stdio: 'inherit' });
  if (status !== 0) throw new Error('npm run build failed');
  buildNative();

  const cpu = load.cpu < 0 ? -1 : 0;
  const quiet = await Contestant.start({ consumer: 'lunette', storage: 'null', diskBytes: DISK_BYTES, cpu });
  await sleep(1000);
  const before = sleeps(quiet.pid);
  await sleep(idle * 1000);
  const wakeUps = (sleeps(quiet.pid) - before) / idle;
  const rss = residentMiB(quiet.pid);
  await quiet.stop();

  const contestant = await Contestant.start({
    consumer: 'lunette',
    storage: 'memory',
    diskBytes: DISK_BYTES,
    cpu,
  });
  await contestant.run({
    ...load,
    fill: true,
    bytes: 65536,
    depth: 8,
    milliseconds: 0,
    commands: DISK_BYTES / 65536,
  });
  await contestant.run(load);
  const calls = await systemCalls(contestant);
  const warm = { ...load, milliseconds: 0, commands };
  const { scavenges } = await contestant.run(warm);
  const sampled = await contestant.run({ ...warm, sample: true });
  await contestant.stop();
  const bytes = sampled.allocated.reduce((sum, [, size]) => sum + size, 0) / commands;
  const start = startUp();

  const machine = `${os.cpus().length} × ${os.cpus()[0].model}, Linux ${os.release()}, Node ${process.version}`;
  say(`${machine}\n\n| measure | figure | goal |\n| --- | ---: | ---: |`);
  say(`| system calls a command, memory handler, 4 KiB, QD32 | ${calls?.toFixed(3) ?? 'no strace'} | 0.2 |`);
  say(`| bytes allocated a command | ${bytes.toFixed(3)} | 0 |`);
  say(`| collections of young garbage in ${commands} commands | ${scavenges} | 0 |`);
  say(`| wake-ups a second of an idle device's process | ${wakeUps.toFixed(1)} | |`);
  say(`| RSS of a process with one idle device, MiB | ${rss.toFixed(0)} | 60 |`);
  say(`| lunette --version, ms (node -e 0: ${start.node.toFixed(0)}) | ${start.version.toFixed(0)} | 80 |`);
  say('\nAllocated, bytes a command:');
  for (const [name, size] of sampled.allocated.slice(0, 5)) say(`  ${(size / commands).toFixed(4)}  ${name}`);

  const results = {
    calls,
    bytes,
    scavenges,
    commands,
    wakeUps,
    rss,
    start,
    allocated: sampled.allocated.slice(0, 20),
  };
  mkdirSync(join(values.json, '..'), { recursive: true });
  writeFileSync(
    values.json,
    `${JSON.stringify({ date: new Date().toISOString(), machine, ...results }, null, 2)}\n`,
  );
  say(`\n${values.json}`);
}

try {
  await main();
} catch (error) {
  say(`bench:cost: ${error.message}`);
  process.exitCode = 1;
}
