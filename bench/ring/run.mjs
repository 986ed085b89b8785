import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import { say } from '../support/bench.mjs';
import { median, ratios, spread } from '../support/median.mjs';
import { aboveZero, from, machine, regularExpression, runPart, wholeFrom } from '../support/part.mjs';
import { barOf } from '../support/plot.mjs';
import { Contestant } from './contestant.mjs';
import { buildNative } from './native.mjs';
import { everyPass, passes } from './passes.mjs';

/*
 * `npm run bench:ring`: a generator in C++ plays the kernel on a ring, against all of lunette and against a minimal
 * consumer in C++ that does the same copies, in turns.
 */

const usage = `  --rounds N         alternating runs of each consumer (default 5)
  --seconds N        length of one run (default 1)
  --grep TEXT        only passes whose names match this regular expression
  --all              every storage, size, depth and mix
  --no-copies        the generator leaves out the copies that the kernel makes
  --wake-each-batch  it wakes the consumer once for all that it queues in a row; the kernel does for each command
  --spin N           microseconds it looks for completions before it sleeps (default 200)
  --no-pin           let the scheduler choose the CPUs of generator and consumer
  --file-options S   of the file handler: '?io=sync'
  --directory D      where the file is (default: the system's for temporary files)`;

const options = {
  rounds: { type: 'string', default: '5' },
  seconds: { type: 'string', default: '1' },
  grep: { type: 'string', default: '' },
  all: { type: 'boolean', default: false },
  'no-copies': { type: 'boolean', default: false },
  'wake-each-batch': { type: 'boolean', default: false },
  spin: { type: 'string', default: '200' },
  'no-pin': { type: 'boolean', default: false },
  'file-options': { type: 'string', default: '' },
  directory: { type: 'string', default: os.tmpdir() },
};

const checks = { rounds: wholeFrom(1), seconds: aboveZero, spin: from(0), grep: regularExpression };

/** Processes, started when a pass first needs them, and their disks filled. */
class Contestants {
  #started = new Map();
  #options;
  #path;

  constructor(options, path) {
    this.#options = options;
    this.#path = path;
  }

  /** @returns {import('./native.mjs').Load} */
  load({ storage, bytes, depth, reads, diskBytes }) {
    return {
      depth,
      bytes,
      reads,
      fill: false,
      diskBytes,
      stamps: storage !== 'null',
      milliseconds: this.#options.seconds * 1000,
      commands: 0,
      copies: !this.#options['no-copies'],
      wakeEach: !this.#options['wake-each-batch'],
      spinMicroseconds: this.#options.spin,
      cpu: this.#options.cpus.generator,
    };
  }

  async get(consumer, pass) {
    const asynchronous = consumer === 'lunette' && pass.asynchronous;
    const { storage, diskBytes } = pass;
    const key = `${consumer} ${storage} ${asynchronous} ${diskBytes}`;
    let contestant = this.#started.get(key);
    if (!contestant) {
      contestant = await Contestant.start({
        consumer,
        storage,
        asynchronous,
        diskBytes,
        cpu: this.#options.cpus.consumer,
        ...(storage === 'file' && { path: this.#path, options: this.#options['file-options'] }),
      });
      this.#started.set(key, contestant);
      const fill = { ...this.load(pass), fill: true, bytes: 64 * 1024, depth: 8, milliseconds: 0 };
      await contestant.run({ ...fill, commands: diskBytes / fill.bytes });
    }
    return contestant;
  }

  async stop() {
    await Promise.all([...this.#started.values()].map((contestant) => contestant.stop()));
  }
}

async function measure(pass, contestants, rounds) {
  const load = contestants.load(pass);
  const figures = { lunette: [], c: [] };
  for (const consumer of ['lunette', 'c']) {
    const contestant = await contestants.get(consumer, pass);
    await contestant.run({ ...load, milliseconds: Math.min(500, load.milliseconds) });
  }
  for (let round = 0; round < rounds; round++) {
    // Each is first in every other round.
    for (const consumer of round % 2 === 0 ? ['lunette', 'c'] : ['c', 'lunette']) {
      const contestant = await contestants.get(consumer, pass);
      figures[consumer].push(await contestant.run(load));
    }
  }
  return figures;
}

const iops = ({ commands, seconds }) => commands / seconds;

function summarize(pass, figures) {
  const [ours, theirs] = [figures.lunette.map(iops), figures.c.map(iops)];
  const byRound = ratios(ours, theirs);
  const microseconds = (outcomes, name) => median(outcomes.map((outcome) => outcome[name]));
  return {
    pass: pass.name,
    goal: pass.goal,
    ratio: median(byRound),
    ratios: byRound,
    lunette: median(ours),
    c: median(theirs),
    spread: spread(byRound),
    p99: { lunette: microseconds(figures.lunette, 'p99'), c: microseconds(figures.c, 'p99') },
    consumerNanoseconds: {
      lunette: median(figures.lunette.map((one) => (one.consumerSeconds / one.commands) * 1e9)),
      c: median(figures.c.map((one) => (one.consumerSeconds / one.commands) * 1e9)),
    },
  };
}

const header = `| pass | lunette, IOPS | C, IOPS | ratio | spread | goal | p99 µs, lunette / C | CPU ns a command |
| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |`;

function row(result) {
  const { pass, lunette, c, ratio, p99, consumerNanoseconds: cpu, goal } = result;
  const share = `${Math.round(result.spread * 100)} %`;
  const latency = `${p99.lunette.toFixed(0)} / ${p99.c.toFixed(0)}`;
  const nanoseconds = `${cpu.lunette.toFixed(0)} / ${cpu.c.toFixed(0)}`;
  return (
    `| ${pass} | ${Math.round(lunette)} | ${Math.round(c)} | ${ratio.toFixed(2)} | ${share} | ${goal ?? ''} ` +
    `| ${latency} | ${nanoseconds} |`
  );
}

async function main(values, { build, save }) {
  const chosen = (values.all ? everyPass : passes).filter(({ name }) => values.grep.test(name));
  if (chosen.length === 0) throw new Error(`--grep: no pass is named like '${values.grep.source}'`);
  build();
  buildNative();
  const pinned = !values['no-pin'] && os.availableParallelism() > 1;
  const cpus = pinned ? { consumer: 0, generator: 1 } : { consumer: -1, generator: -1 };

  const folder = mkdtempSync(join(values.directory, 'lunette-bench-'));
  const path = join(folder, 'disk.img');
  writeFileSync(path, '');
  truncateSync(path, Math.max(...chosen.map(({ diskBytes }) => diskBytes)));
  const contestants = new Contestants({ ...values, cpus }, path);
  const results = [];
  say(`${machine()}\n\n${header}`);
  try {
    for (const pass of chosen) {
      const result = summarize(pass, await measure(pass, contestants, values.rounds));
      results.push(result);
      say(row(result));
    }
  } finally {
    await contestants.stop();
    rmSync(folder, { recursive: true, force: true });
  }
  const { rounds, seconds, spin } = values;
  const setting = {
    cpus,
    rounds,
    seconds,
    spin,
    copies: !values['no-copies'],
    wakeEach: !values['wake-each-batch'],
  };
  const bars = results.map(({ pass, ratio, ratios: byRound, goal }) =>
    barOf(pass, byRound, { value: ratio, goal }),
  );
  const chart = { title: 'Lunette beside a minimal consumer in C++', axis: 'ratio of their IOPS', bars };
  await save({ setting, results }, [chart]);
}

await runPart({ name: 'ring', usage, options, checks, main });
