import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { checkout, runGuest } from './lab/machine.mjs';
import { installPackages } from './lab/packages.mjs';

/*
 * `npm run test:kernel`: the tests of this folder, on a real kernel. Prints each test as it ends, and at last
 * "N passed, M failed, K skipped"; exits non-zero on a failure, a hang or when nothing ran.
 */

const usage = `node test/kernel/run.mjs [FILE…] [--grep TEXT] [--console] [--minutes N] [--no-build]

  FILE          run these only: removal, iscsi.test.ts, … (default: all)
  --grep TEXT   run only the tests with TEXT in their title
  --console     print the guest's console as it comes
  --minutes N   end a guest that takes longer (default: 45)
  --no-build    take dist/ and out/kernel-tests/ as they are

How often the tests do what is done again and again, as variables of the environment (and their defaults):
  LUNETTE_KILLS (20)         crash: kill -9 of the daemon
  LUNETTE_HOST_KILLS (5)     isolation: deaths of a device's host
  LUNETTE_TAKE_OVERS (5)     take-over: new daemons
  LUNETTE_RELOADS (5)        take-over: lunette reload
  LUNETTE_ROUNDS (20, 3)     re-adding: a host with 16 devices removed and made again, without and with threads
  LUNETTE_POWER_FAILS (16)   power-fail: power failures looked at`;

const say = (text) => process.stdout.write(`${text}\n`);
const seconds = (milliseconds) => `${(milliseconds / 1000).toFixed(1)} s`;
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
  #suite;
  ended = false;

  take(line) {
    const event = JSON.parse(line);
    if (event.kind === 'end') this.ended = true;
    if (event.kind === 'end' || event.kind === 'suite') return;
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

async function main() {
  const { values: options, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      grep: { type: 'string' },
      console: { type: 'boolean', default: false },
      minutes: { type: 'string', default: '45' },
      'no-build': { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (options.help) return say(usage);
  const minutes = Number(options.minutes);
  if (!(minutes > 0)) throw new Error(`--minutes: '${options.minutes}' is not a number above 0`);
  const files =
    positionals.length === 0 ? ['*'] : positionals.map((name) => name.replace(/.*\/|\.test\.ts$/g, ''));
  const unknown = files.find(
    (name) => name !== '*' && !existsSync(join(checkout, `test/kernel/${name}.test.ts`)),
  );
  if (unknown !== undefined) throw new Error(`there is no test/kernel/${unknown}.test.ts`);
  const started = Date.now();
  installPackages();
  if (!options['no-build']) build();

  const settings = Object.entries(process.env).filter(([name]) => name.startsWith('LUNETTE_'));
  const mocha = [
    ...settings.map(([name, value]) => `${name}=${quote(value)}`),
    quote(process.execPath),
    'node_modules/mocha/bin/mocha.js --no-config --no-package --forbid-only --exit --timeout 180000',
    '--reporter test/kernel/reporter.cjs',
    ...(options.grep ? ['--fgrep', quote(options.grep)] : []),
    ...files.map((name) => `out/kernel-tests/test/kernel/${name}.test.js`),
  ];
  const results = new Results();
  const folder = join(checkout, 'out');
  mkdirSync(folder, { recursive: true });
  say('booting the guest');
  const guest = await runGuest({
    command: mocha.join(' '),
    seconds: minutes * 60,
    onEvent: (line) => results.take(line),
    collect: (lab) => {
      rmSync(join(folder, 'kernel-logs'), { recursive: true, force: true });
      if (existsSync(join(lab, 'logs')))
        cpSync(join(lab, 'logs'), join(folder, 'kernel-logs'), { recursive: true });
    },
    onConsole: options.console ? (line) => say(`| ${line}`) : undefined,
  });

  const problems = [];
  if (guest.timedOut) problems.push(`the guest was ended after ${minutes} minutes`);
  else if (!results.ended) problems.push(`the guest left before the tests were done (exit ${guest.status})`);
  const passed = results.count('passed');
  const failed = results.count('failed') + problems.length;
  const skipped = results.count('skipped');
  if (passed + failed === 0) problems.push('no test ran');

  writeFileSync(join(folder, 'kernel-console.log'), guest.console.join('\n'));
  const json = join(folder, 'kernel-results.json');
  writeFileSync(json, JSON.stringify({ passed, failed, skipped, problems, tests: results.tests }, null, 2));
  if (problems.length > 0) say(`\nlast lines of the console:\n${guest.console.slice(-40).join('\n')}`);
  for (const test of results.tests.filter(({ kind }) => kind === 'failed')) say(`\nfailed: ${test.title}`);
  for (const problem of problems) say(`\n${problem}`);
  say(`\n${json} (${seconds(Date.now() - started)})`);
  say(`${passed} passed, ${failed} failed, ${skipped} skipped`);
  if (failed > 0 || problems.length > 0) process.exitCode = 1;
}

try {
  await main();
} catch (error) {
  say(`test:kernel: ${error.message}`);
  say('0 passed, 1 failed, 0 skipped');
  process.exitCode = 1;
}
