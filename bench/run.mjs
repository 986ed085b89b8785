import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { checkout, say } from './support/bench.mjs';
import { CANNOT_RUN } from './support/part.mjs';

/*
 * `npm run bench`: all parts of the bench, one after the other.
 */

/** What `--quick` gives a part, and what the part is about. */
const parts = {
  ring: { about: 'beside a minimal consumer in C++', quick: ['--rounds', '1', '--seconds', '0.1'] },
  cost: {
    about: 'what a command and an idle device cost',
    quick: ['--rounds', '1', '--commands', '2e5', '--idle', '1'],
  },
  scale: {
    about: 'many devices in one daemon',
    quick: ['--rounds', '1', '--seconds', '0.3', '--devices', '1', '--devices', '4'],
  },
  'take-over': {
    about: 'one daemon takes over from another',
    quick: ['--rounds', '2', '--devices', '2'],
  },
  iscsi: { about: 'the embedded target beside tgt', quick: ['--rounds', '1', '--seconds', '1'] },
  lab: {
    about: 'beside tcmu-runner and LIO, in the kernel lab',
    quick: ['--quick', '--grep', '4 KiB random read'],
  },
};

const usage = `npm run bench -- [options]

Runs all parts of the bench, one after the other, and says where the results lie. On a quiet machine; it takes an
hour or so, most of it for lab.

  --only PARTS   only these, with commas between them
  --quick        few and short rounds, which take minutes: does everything still run? The figures say nothing, so they
                 go to out/bench-quick, and bench/results is left as it is
  --results DIR  where the results go (default bench/results)

Parts, each of which runs alone too (npm run bench:ring -- --help):
${Object.entries(parts)
  .map(([name, { about }]) => `  ${name.padEnd(13)}${about}`)
  .join('\n')}

Examples:
  npm run bench                                 re-make all of bench/results
  npm run bench -- --quick                      after a change to the bench
  npm run bench -- --only ring,cost             these two
  sudo npm run bench -- --only lab              lab, scale and take-over need root

Exit status: 0 where all ran; 1 where one failed, or one that --only names cannot run on this machine; 2 where the
options are wrong.`;

/** @returns {{ results: string, chosen: string[], named: boolean, quick: boolean } | undefined} undefined: help is wanted */
function parse() {
  const { values } = parseArgs({
    options: {
      only: { type: 'string' },
      quick: { type: 'boolean', default: false },
      results: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return undefined;
  const wanted = values.only?.split(',').map((name) => name.trim());
  const unknown = wanted?.find((name) => !Object.hasOwn(parts, name));
  if (unknown !== undefined) {
    throw new Error(`--only: there is no part '${unknown}'; there are ${Object.keys(parts).join(', ')}`);
  }
  return {
    results: values.results ?? join(checkout, values.quick ? 'out/bench-quick' : 'bench/results'),
    chosen: Object.keys(parts).filter((name) => wanted === undefined || wanted.includes(name)),
    named: wanted !== undefined,
    quick: values.quick,
  };
}

/** The part that runs. */
let running;

/** By a signal: no more parts. */
let interrupted = false;

/** Characters of a part's output that are kept, for its last line. */
const KEPT = 4096;

/** @returns its exit status, or the signal that ended it; and the last line it printed */
function runPart(name, args) {
  return new Promise((resolve, reject) => {
    let text = '';
    running = spawn(process.execPath, [join(checkout, 'bench', name, 'run.mjs'), ...args], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    running.stdout.on('data', (data) => {
      process.stdout.write(data);
      text = `${text}${data}`.slice(-KEPT);
    });
    running.on('error', reject);
    running.on('close', (status, signal) =>
      resolve({ status: status ?? signal, last: text.trimEnd().split('\n').at(-1) }),
    );
  });
}

function time(milliseconds) {
  const seconds = Math.round(milliseconds / 1000);
  return `${Math.floor(seconds / 60)} min ${String(seconds % 60).padStart(2, '0')} s`;
}

async function main({ results, chosen, named, quick }) {
  const start = performance.now();
  const failed = [];
  const left = [];
  let built = false;
  for (const [index, name] of chosen.entries()) {
    if (interrupted) break;
    const { about, quick: less } = parts[name];
    const elapsed = time(performance.now() - start);
    say(`\n==== ${name}: ${about} (${index + 1} of ${chosen.length}, ${elapsed} so far)\n`);
    const args = [
      '--json',
      join(results, `${name}.json`),
      ...(quick ? less : []),
      ...(built ? ['--no-build'] : []),
    ];
    const { status, last } = await runPart(name, args);
    if (status === 0) built = true;
    else if (status === CANNOT_RUN) left.push(last);
    else failed.push(`bench:${name} ended with ${status}`);
  }
  say(
    `\n==== ${interrupted ? 'interrupted' : 'done'}: ${chosen.length} parts, ${time(performance.now() - start)}\n`,
  );
  for (const line of failed) say(`failed: ${line}; the reason stands above`);
  for (const line of left) say(`cannot run here: ${line}`);
  if (failed.length + left.length < chosen.length) say(`results: ${results}`);
  if (quick) say('These are quick runs: they show that the parts run, not how fast anything is.');
  if (failed.length > 0 || (named && left.length > 0)) process.exitCode = 1;
}

// A signal ends the part that runs, and no other one is started.
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, () => {
    interrupted = true;
    running?.kill(signal);
    process.exitCode = 1;
  });
}

let options;
try {
  options = parse();
} catch (error) {
  say(`bench: ${error.message}\nnpm run bench -- --help says what there is`);
  process.exit(2);
}
if (options === undefined) say(usage);
else await main(options);
