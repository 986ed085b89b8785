import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { checkout, runGuest } from './lab/machine.mjs';
import { installPackages } from './lab/packages.mjs';

/*
 * `npm run test:kernel`: the tests of this folder, on a real kernel. Prints each test as it ends, and at last
 * "N passed, M failed, K skipped"; exits non-zero on a failure, a hang or when nothing ran.
 */

const usage = `node test/kernel/run.mjs [FILE…] [--grep TEXT] [--console] [--minutes N]
                         [--guests N] [--no-build]

  FILE          run these only: removal, iscsi.test.ts, … (default: all)
  --grep TEXT   run only the tests with TEXT in their title
  --console     print the guests' consoles as they come
  --minutes N   end a guest that takes longer (default: 45)
  --guests N    boot so many at a time (default: one a processor, two at most); each runs a file, or with one
                guest all of them
  --no-build    take dist/ and out/kernel-tests/ as they are

How often the tests do what is done again and again, as variables of the environment (and their defaults):
  LUNETTE_KILLS (20)         crash: kill -9 of the daemon
  LUNETTE_HOST_KILLS (5)     isolation: deaths of a device's host
  LUNETTE_TAKE_OVERS (5)     take-over: new daemons
  LUNETTE_RELOADS (5)        take-over: lunette reload
  LUNETTE_ROUNDS (20, 3)     re-adding: a host with 16 devices removed and made again, without and with threads
  LUNETTE_POWER_FAILS (16)   power-fail: power failures looked at`;

/** Files that take minutes, longest first: begun last, one of them would be left alone with a single guest. */
const slow = [
  'crash',
  're-adding',
  'power-fail',
  'take-over',
  'systemd',
  'isolation',
  'data',
  'doctor',
  'daemon',
];

const say = (text) => process.stdout.write(`${text}\n`);
const seconds = (milliseconds) => `${(milliseconds / 1000).toFixed(1)} s`;
const out = join(checkout, 'out');
const quote = (text) => `'${text.replaceAll("'", `'\\''`)}'`;

function node(...args) {
  const { status } = spawnSync(process.execPath, args, { cwd: checkout, stdio: 'inherit' });
  if (status !== 0) throw new Error(`node ${args.join(' ')} failed`);
}

function build() {
  const tsc = 'node_modules/typescript/bin/tsc';
  node(tsc, '-p', 'tsconfig.build.json');
  // As `npm run build` does; the examples call it by its name.
  chmodSync(join(checkout, 'dist/cli/main.js'), 0o755);
  rmSync(join(checkout, 'out/kernel-tests'), { recursive: true, force: true });
  node(tsc, '-p', 'test/kernel/tsconfig.json');
}

/** Prints events as they come and remembers how each test ended. */
class Results {
  tests = [];
  problems = [];
  #suite;

  take(event) {
    if (event.suite !== this.#suite) say(`\n${event.suite}`);
    this.#suite = event.suite;
    const mark = { passed: '✓', failed: '✗', skipped: '-' }[event.kind];
    const time = event.milliseconds === undefined ? '' : ` (${seconds(event.milliseconds)})`;
    say(`  ${mark} ${event.test}${time}`);
    if (event.error) say(event.error.replace(/^/gm, '      '));
    this.tests.push(event);
  }

  count(kind) {
    return this.tests.filter((test) => test.kind === kind).length;
  }
}

/** Run files in a guest of their own. */
async function runFiles(files, { grep, minutes, console: showConsole }, results) {
  const name = files.length === 1 ? files[0] : 'all';
  const settings = Object.entries(process.env).filter(([variable]) => variable.startsWith('LUNETTE_'));
  const mocha = [
    ...settings.map(([variable, value]) => `${variable}=${quote(value)}`),
    quote(process.execPath),
    'node_modules/mocha/bin/mocha.js --no-config --no-package --forbid-only --exit --timeout 300000',
    '--reporter test/kernel/reporter.cjs',
    ...(grep ? ['--fgrep', quote(grep)] : []),
    ...files.map((file) => `out/kernel-tests/test/kernel/${file}.test.js`),
  ];
  let ended = false;
  const guest = await runGuest({
    command: mocha.join(' '),
    seconds: minutes * 60,
    onEvent: (line) => {
      const event = JSON.parse(line);
      if (event.kind === 'end') ended = true;
      else if (event.kind !== 'suite') results.take(event);
    },
    collect: (lab) => {
      const logs = join(lab, 'logs');
      if (existsSync(logs)) cpSync(logs, join(out, 'kernel-logs', name), { recursive: true });
    },
    onConsole: showConsole ? (line) => say(`${name} | ${line}`) : undefined,
  });
  mkdirSync(join(out, 'kernel-logs', name), { recursive: true });
  writeFileSync(join(out, 'kernel-logs', name, 'console.log'), guest.console.join('\n'));
  if (guest.timedOut) results.problems.push(`${name}: the guest was ended after ${minutes} minutes`);
  else if (!ended) {
    results.problems.push(`${name}: the guest left before the tests were done (exit ${guest.status})`);
  } else return;
  say(`\nlast lines of the console of ${name}:\n${guest.console.slice(-40).join('\n')}`);
}

async function main() {
  const { values: options, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      grep: { type: 'string' },
      console: { type: 'boolean', default: false },
      minutes: { type: 'string', default: '45' },
      guests: { type: 'string', default: String(Math.min(2, availableParallelism())) },
      'no-build': { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (options.help) return say(usage);
  const minutes = Number(options.minutes);
  if (!(minutes > 0)) throw new Error(`--minutes: '${options.minutes}' is not a number above 0`);
  const guests = Number(options.guests);
  if (!(guests >= 1)) throw new Error(`--guests: '${options.guests}' is not a number from 1`);
  const present = readdirSync(join(checkout, 'test/kernel'))
    .filter((name) => name.endsWith('.test.ts'))
    .map((name) => name.replace(/\.test\.ts$/, ''));
  const files =
    positionals.length === 0 ? present : positionals.map((name) => name.replace(/.*\/|\.test\.ts$/g, ''));
  const unknown = files.find((name) => !present.includes(name));
  if (unknown !== undefined) throw new Error(`there is no test/kernel/${unknown}.test.ts`);
  const started = Date.now();
  installPackages();
  if (!options['no-build']) build();
  rmSync(join(out, 'kernel-logs'), { recursive: true, force: true });
  mkdirSync(out, { recursive: true });

  const results = new Results();
  const queue = [
    ...slow.filter((name) => files.includes(name)),
    ...files.filter((name) => !slow.includes(name)),
  ];
  // A boot for each file is worth it only where the files are run whole.
  const isOne = guests === 1 || (options.grep !== undefined && positionals.length === 0);
  const jobs = isOne ? [files] : queue.map((name) => [name]);
  const work = async () => {
    for (let job = jobs.shift(); job; job = jobs.shift()) {
      await runFiles(job, { grep: options.grep, minutes, console: options.console }, results);
    }
  };
  say(isOne ? 'booting the guest' : `booting ${guests} guests at a time`);
  await Promise.all(Array.from({ length: guests }, work));

  const { problems } = results;
  const passed = results.count('passed');
  const skipped = results.count('skipped');
  if (results.tests.length === 0 && problems.length === 0) problems.push('no test ran');
  const failed = results.count('failed') + problems.length;
  const json = join(out, 'kernel-results.json');
  writeFileSync(json, JSON.stringify({ passed, failed, skipped, problems, tests: results.tests }, null, 2));
  for (const test of results.tests.filter(({ kind }) => kind === 'failed')) say(`\nfailed: ${test.title}`);
  for (const problem of problems) say(`\n${problem}`);
  say(`\n${json} (${seconds(Date.now() - started)})`);
  say(`${passed} passed, ${failed} failed, ${skipped} skipped`);
  if (failed > 0) process.exitCode = 1;
}

try {
  await main();
} catch (error) {
  say(`test:kernel: ${error.message}`);
  say('0 passed, 1 failed, 0 skipped');
  process.exitCode = 1;
}
