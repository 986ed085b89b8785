import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import { buildNative } from '../ring/native.mjs';
import { StandInKernel } from '../stand-in/kernel.mjs';
import { say } from '../support/bench.mjs';
import { median, ratios, spread, spreadText } from '../support/median.mjs';
import { isolations, machine, needRoot, oneOf, runPart, wholeFrom } from '../support/part.mjs';

/*
 * `npm run bench:take-over`: how long the commands of a disk wait while one `lunette serve` takes over from another.
 * Real processes, natively, with a stand-in for the kernel.
 */

const usage = `  --rounds N         take-overs of each isolation (default 10)
  --devices N        disks, each under load (default 4)
  --depth N          commands in flight on each disk (default 8)
  --isolation I      none, thread or process; may be repeated (default: each)
  --log              print what the daemons logged`;

const options = {
  rounds: { type: 'string', default: '10' },
  devices: { type: 'string', default: '4' },
  depth: { type: 'string', default: '8' },
  isolation: { type: 'string', multiple: true, default: isolations },
  log: { type: 'boolean', default: false },
};

const checks = {
  rounds: wholeFrom(1),
  devices: wholeFrom(1),
  depth: wholeFrom(1),
  isolation: oneOf(isolations),
};

const DISK_BYTES = 64 * 2 ** 20;

const load = {
  bytes: 4096,
  reads: 50,
  diskBytes: DISK_BYTES,
  stamps: true,
  copies: true,
  wakeEach: true,
  spinMicroseconds: 0,
  cpu: -1,
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

/** Disks served in one isolation, and the daemons that serve them. */
class Series {
  /** Milliseconds, by round and disk: from the old daemon's last command to the new one's first. */
  stalls = [];
  /** Milliseconds, by round and disk: the longest time in which nothing was answered. */
  gaps = [];
  #kernel;
  #args;
  /** One; two during a take-over. */
  #daemons;
  #log;

  constructor(isolation, { devices, log }, folder) {
    this.isolation = isolation;
    this.#log = log;
    this.#kernel = new StandInKernel(
      Array.from({ length: devices }, (_, index) => ({
        config: `file/${join(folder, `${isolation}-${index}.img`)}?create=1`,
        size: DISK_BYTES,
      })),
    );
    this.#args = ['--isolate', isolation, '--log-level', 'debug'];
    this.#daemons = [this.#kernel.serve(this.#args)];
  }

  async fill() {
    await this.#daemons[0].ready();
    const fill = { ...load, depth: 8, bytes: 65536, fill: true, milliseconds: 0 };
    for (const generator of this.#kernel.generators) {
      // The first command gets a unit attention, whatever it is.
      await generator.run({ ...fill, depth: 1, reads: 100, fill: false, stamps: false, commands: 1 });
      check(await generator.run({ ...fill, commands: DISK_BYTES / fill.bytes }));
    }
  }

  async takeOver(depth) {
    const loads = this.#kernel.generators.map((generator) => new Load(generator, depth));
    const [old] = this.#daemons;
    const next = this.#kernel.serve([...this.#args, '--take-over']);
    this.#daemons.push(next);
    await next.ready();
    const status = await old.exited;
    if (status !== 0) throw new Error(`the old daemon ended with ${status}:\n${old.everything()}`);
    this.#daemons = [next];
    if (this.#log) say(`${old.timeline()}\n-- the next one\n${next.timeline()}`);
    this.stalls.push(next.log.flatMap(({ stall }) => (stall === undefined ? [] : [stall])));
    this.gaps.push(await Promise.all(loads.map((one) => one.end())));
  }

  async close() {
    for (const daemon of this.#daemons) await daemon.stop();
    this.#kernel.close();
  }
}

/** @param {Series} series @param {Series} first the one it is compared with, round by round */
function summarize({ isolation, stalls, gaps }, first) {
  const byRound = ratios(gaps.map(median), first.gaps.map(median));
  return {
    isolation,
    stalls: stalls.flat(),
    gaps: gaps.flat(),
    ratio: median(byRound),
    ratios: byRound,
    spread: spread(byRound),
  };
}

function row({ isolation, stalls, gaps, ratio, ratios: byRound }) {
  const cells = [stalls, gaps].map((of) => `${median(of).toFixed(1)} | ${Math.max(...of).toFixed(1)}`);
  return `| ${isolation} | ${cells.join(' | ')} | ${ratio.toFixed(2)} (${spreadText(byRound)}) |`;
}

function chart(results) {
  const bars = results.flatMap(({ isolation, stalls, gaps }) => [
    { name: `${isolation}: stall, median`, value: median(stalls) },
    { name: `${isolation}: stall, longest`, value: Math.max(...stalls) },
    { name: `${isolation}: nothing answered, median`, value: median(gaps) },
    { name: `${isolation}: nothing answered, longest`, value: Math.max(...gaps) },
  ]);
  return { title: 'A take-over under load', axis: 'milliseconds', bars };
}

async function main(values, { build, save }) {
  const { rounds, devices, depth } = values;
  needRoot('to play the kernel in a mount namespace');
  build();
  buildNative();
  const folder = mkdtempSync(join(os.tmpdir(), 'lunette-bench-'));
  say(`${machine()}; ${rounds} take-overs of ${devices} disks, queue depth ${depth}; milliseconds\n`);
  const all = [];
  try {
    for (const isolation of values.isolation) all.push(new Series(isolation, values, folder));
    for (const series of all) await series.fill();
    for (let round = 0; round < rounds; round++) {
      for (const series of all) await series.takeOver(depth);
    }
  } finally {
    for (const series of all) await series.close();
    rmSync(folder, { recursive: true, force: true });
  }
  const results = all.map((series) => summarize(series, all[0]));
  say(
    `| isolation | stall, median | longest | unanswered, median | longest | to ${all[0].isolation} (spread) |`,
  );
  say('| --- | ---: | ---: | ---: | ---: | ---: |');
  for (const result of results) say(row(result));
  await save({ setting: { rounds, devices, depth }, results }, [chart(results)]);
}

await runPart({ name: 'take-over', usage, options, checks, main });
