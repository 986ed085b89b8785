import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { buildNative } from '../ring/native.mjs';
import { StandInKernel } from '../stand-in/kernel.mjs';
import { checkout, say } from '../support/bench.mjs';
import { median } from '../support/median.mjs';

/*
 * `npm run bench:take-over`: how long the commands of a disk wait while one `lunette serve` takes over from another.
 * Real processes, natively, with a stand-in for the kernel.
 */

const usage = `npm run bench:take-over -- [options]

  --rounds N      take-overs of each isolation (default 10)
  --devices N     disks, each under load (default 4)
  --depth N       commands in flight on each disk (default 8)
  --isolation I   none, thread or process; may be repeated (default: each)
  --log           print what the daemons logged
  --json FILE     where the results go (default bench/results/take-over.json)`;

const DISK_BYTES = 64 * 2 ** 20;

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '10' },
    devices: { type: 'string', default: '4' },
    depth: { type: 'string', default: '8' },
    isolation: { type: 'string', multiple: true, default: ['none', 'thread', 'process'] },
    log: { type: 'boolean', default: false },
    json: { type: 'string', default: join(checkout, 'bench/results/take-over.json') },
    help: { type: 'boolean', default: false },
  },
});

const load = {
  bytes: 4096,
  reads: 50,
  diskBytes: DISK_BYTES,
  stamps: true,
  copies: true,
  wakeEach: true,
  spinMicroseconds: 0,
};

function check(outcome) {
  const { stalled, errors, mismatches, commands } = outcome;
  if (stalled) throw new Error('nothing was answered for five seconds');
  if (errors + mismatches > 0)
    throw new Error(`${errors} errors, ${mismatches} wrong in ${commands} commands`);
  return outcome;
}

/** Load on one disk until it is told to end. */
class Load {
  /** Milliseconds. */
  longestGap = 0;
  #over = false;
  #done;

  constructor(generator, depth) {
    this.#done = this.#run(generator, depth);
    this.#done.catch(() => undefined);
  }

  async #run(generator, depth) {
    while (!this.#over) {
      const outcome = check(
        await generator.run({ ...load, depth, fill: false, milliseconds: 300, commands: 0 }),
      );
      this.longestGap = Math.max(this.longestGap, outcome.longestGap / 1000);
    }
  }

  async end() {
    this.#over = true;
    await this.#done;
    return this.longestGap;
  }
}

async function measure(isolation, { rounds, devices, depth }, folder) {
  const kernel = new StandInKernel(
    Array.from({ length: devices }, (_, index) => ({
      config: `file/${join(folder, `${isolation}-${index}.img`)}?create=1`,
      size: DISK_BYTES,
    })),
  );
  const args = ['--isolate', isolation, '--log-level', 'debug'];
  let daemon = kernel.serve(args);
  const stalls = [];
  const gaps = [];
  try {
    await daemon.ready();
    const fill = { ...load, depth: 8, bytes: 65536, fill: true, milliseconds: 0 };
    for (const generator of kernel.generators) {
      // The first command gets a unit attention, whatever it is.
      await generator.run({ ...fill, depth: 1, reads: 100, fill: false, stamps: false, commands: 1 });
      check(await generator.run({ ...fill, commands: DISK_BYTES / fill.bytes }));
    }
    for (let round = 0; round < rounds; round++) {
      const loads = kernel.generators.map((generator) => new Load(generator, depth));
      const next = kernel.serve([...args, '--take-over']);
      await next.ready();
      const status = await daemon.exited;
      if (status !== 0) throw new Error(`the old daemon ended with ${status}:\n${daemon.everything()}`);
      if (values.log) say(`${daemon.timeline()}\n-- the next one\n${next.timeline()}`);
      daemon = next;
      for (const { stall } of daemon.log) if (stall !== undefined) stalls.push(stall);
      for (const one of loads) gaps.push(await one.end());
    }
  } finally {
    await daemon.stop();
    kernel.close();
  }
  return { isolation, stalls, gaps };
}

const figure = (number) => number.toFixed(1);

function row({ isolation, stalls, gaps }) {
  const cells = [stalls, gaps].map((of) => `${figure(median(of))} | ${figure(Math.max(...of))}`);
  return `| ${isolation} | ${cells.join(' | ')} |`;
}

async function main() {
  if (values.help) return say(usage);
  const [rounds, devices, depth] = [values.rounds, values.devices, values.depth].map(Number);
  if (!(rounds >= 1 && devices >= 1 && depth >= 1)) {
    throw new Error('--rounds, --devices and --depth: numbers from 1');
  }
  const { status } = spawnSync('npm', ['run', '--silent', 'build'], { cwd: checkout, stdio: 'inherit' });
  if (status !== 0) throw new Error('npm run build failed');
  buildNative();
  const folder = mkdtempSync(join(os.tmpdir(), 'lunette-bench-'));
  const machine = `${os.cpus().length} × ${os.cpus()[0].model}, Linux ${os.release()}, Node ${process.version}`;
  say(`${machine}; ${rounds} take-overs of ${devices} disks, queue depth ${depth}; milliseconds\n`);
  say('| isolation | stall, median | longest | unanswered, median | longest |');
  say('| --- | ---: | ---: | ---: | ---: |');
  const results = [];
  try {
    for (const isolation of values.isolation) {
      const result = await measure(isolation, { rounds, devices, depth }, folder);
      results.push(result);
      say(row(result));
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  mkdirSync(join(values.json, '..'), { recursive: true });
  const report = { date: new Date().toISOString(), machine, setting: { rounds, devices, depth }, results };
  writeFileSync(values.json, `${JSON.stringify(report, null, 2)}\n`);
  say(`\n${values.json}`);
}

try {
  await main();
} catch (error) {
  say(`bench:take-over: ${error.message}`);
  process.exitCode = 1;
}
