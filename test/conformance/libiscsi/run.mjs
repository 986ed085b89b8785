import { spawnSync } from 'node:child_process';
import { createWriteStream, mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { anyMatcher, configurations, exportArguments } from './configurations.mjs';
import { checkout, startLunette } from './lunette-target.mjs';
import { installPackages, packageVersion } from './packages.mjs';
import { cannotPass, report, table, tally, verdict } from './report.mjs';
import { listTests, runSuite, suiteCommand } from './suite.mjs';
import { startTgt } from './tgt-target.mjs';

/*
 * `npm run conformance`: libiscsi's suite against the embedded target, in every configuration, and against tgt.
 * Prints each configuration as it ends, and at last "N passed, M failed, K skipped"; exits non-zero when a test
 * failed, or passed in no configuration.
 */

/**
 * A target that answers.
 * @typedef {{ urls: string[], died: AbortSignal, stop: () => Promise<void> }} RunningTarget `died` is aborted where it
 *   ends by itself, with how
 */

const usage = `node test/conformance/libiscsi/run.mjs [--config NAME]… [--test GLOB]… [--keep-output DIR] [--no-build]

  --config NAME       run these only: ${configurations.map(({ name }) => name).join(', ')}
  --test GLOB         run these tests only: Read10.Simple, 'Write*', '*.BeyondEol', …
  --keep-output DIR   write what the suite printed to DIR, a file for each configuration
  --no-build          take dist/ as it is

docs/conformance.md is written when everything is run.`;

/** Configurations that run side by side. */
const atATime = 3;

const say = (text) => process.stdout.write(`${text}\n`);

function build() {
  const { status } = spawnSync('npm', ['run', '--silent', 'build'], { cwd: checkout, stdio: 'inherit' });
  if (status !== 0) throw new Error('npm run build failed');
}

/** How a reader of the report starts the same target. */
function startedWith(configuration) {
  if (configuration.target === 'lunette') return `lunette ${exportArguments(configuration).join(' ')}`;
  const { parameters } = configuration;
  return [
    'tgtd -f',
    'tgtadm --lld iscsi --op new --mode target --tid 1 -T IQN',
    'tgtadm --lld iscsi --op new --mode logicalunit --tid 1 --lun 1 -b disk.img  # 100 MiB',
    ...(parameters
      ? [`tgtadm --lld iscsi --op update --mode logicalunit --tid 1 --lun 1 --params ${parameters}`]
      : []),
    'tgtadm --lld iscsi --op bind --mode target --tid 1 -I ALL',
  ].join('\n');
}

/** URLs without what differs from run to run. */
function placeholders({ credentials, portals = 1 }) {
  const user = credentials === undefined ? '' : `${credentials}@`;
  return Array.from(
    { length: portals },
    (_, index) => `iscsi://${user}HOST:PORT${index === 0 ? '' : index + 1}/IQN/LUN`,
  );
}

/**
 * Run what the configuration does not leave out; what it does counts as skipped.
 * @returns {Promise<Map<string, import('./suite-output.mjs').TestResult>>} in the order of `tests`
 */
async function runTests({ leftOut = [], dataloss }, { urls, died }, tests, onLine) {
  const isLeftOut = anyMatcher(leftOut.flatMap(({ tests: globs }) => globs));
  const mayWrite = dataloss === undefined ? () => true : anyMatcher(dataloss);
  const run = tests.filter((test) => !isLeftOut(test));
  const found = new Map();
  for (const loss of [false, true]) {
    const part = run.filter((test) => mayWrite(test) === loss);
    if (part.length === 0) continue;
    const results = await runSuite({ urls, tests: part, onLine, dataloss: loss, signal: died });
    for (const [name, result] of results) found.set(name, result);
  }
  const skipped = (name) => ({ name, outcome: 'skipped', detail: ['left out'] });
  return new Map(tests.map((name) => [name, found.get(name) ?? skipped(name)]));
}

/** @returns {Promise<import('./report.mjs').Run>} */
async function runConfiguration(configuration, tests, keepOutput) {
  const began = Date.now();
  const output =
    keepOutput === undefined ? undefined : createWriteStream(join(keepOutput, `${configuration.name}.txt`));
  const target = await (configuration.target === 'tgt' ? startTgt : startLunette)(configuration);
  let results;
  try {
    results = await runTests(configuration, target, tests, (line) => output?.write(`${line}\n`));
  } finally {
    await target.stop();
    output?.end();
  }
  const { passed, failed, skipped } = tally(results);
  const time = ((Date.now() - began) / 1000).toFixed(1);
  say(`${configuration.name}: ${passed} passed, ${failed} failed, ${skipped} skipped (${time} s)`);
  if (target.died.aborted) say(target.died.reason.message.replace(/^/gm, '    '));
  if (configuration.target === 'lunette') {
    for (const { name, outcome, detail } of results.values()) {
      if (outcome !== 'failed') continue;
      say(`  ✗ ${name}`);
      const shown = detail.length > 12 ? [...detail.slice(0, 6), '…', ...detail.slice(-5)] : detail;
      for (const line of shown) say(`      ${line}`);
    }
  }
  return {
    configuration,
    started: startedWith(configuration),
    command: suiteCommand(placeholders(configuration), configuration.dataloss === undefined),
    results,
  };
}

/** A few at a time: what takes long in the suite is that it sleeps. */
async function runAll(selected, tests, keepOutput) {
  const runs = new Map();
  const left = [...selected].sort(
    (one, other) => Number(other.disk === 'paced') - Number(one.disk === 'paced'),
  );
  const worker = async () => {
    for (let next = left.shift(); next; next = left.shift()) {
      runs.set(next, await runConfiguration(next, tests, keepOutput));
    }
  };
  const ended = await Promise.allSettled(Array.from({ length: atATime }, worker));
  const failed = ended.find(({ status }) => status === 'rejected');
  if (failed) throw failed.reason;
  return selected.map((configuration) => runs.get(configuration));
}

function chosen(names) {
  const unknown = names.find((name) => !configurations.some((configuration) => configuration.name === name));
  if (unknown !== undefined) throw new Error(`--config: there is no '${unknown}'; see --help`);
  return names.length === 0 ? configurations : configurations.filter(({ name }) => names.includes(name));
}

async function main() {
  const { values: options } = parseArgs({
    options: {
      config: { type: 'string', multiple: true, default: [] },
      test: { type: 'string', multiple: true, default: [] },
      'keep-output': { type: 'string' },
      'no-build': { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (options.help) return say(usage);
  const selected = chosen(options.config);
  installPackages();
  if (!options['no-build']) build();
  const keepOutput = options['keep-output'] === undefined ? undefined : resolve(options['keep-output']);
  if (keepOutput !== undefined) mkdirSync(keepOutput, { recursive: true });

  const all = listTests();
  const tests = options.test.length === 0 ? all : all.filter(anyMatcher(options.test));
  if (tests.length === 0) throw new Error(`--test: none of the ${all.length} tests matches`);
  const stranger = cannotPass.find(({ test }) => !all.includes(test));
  if (stranger) throw new Error(`cannot-pass.json: the suite has no test '${stranger.test}'`);

  const runs = await runAll(selected, tests, keepOutput);

  say('');
  say(
    table([
      ['Configuration', 'Passed', 'Failed', 'Skipped'],
      ...runs.map(({ configuration, results }) => {
        const { passed, failed, skipped } = tally(results);
        return [configuration.name, `${passed}`, `${failed}`, `${skipped}`];
      }),
    ]),
  );
  const everything = selected.length === configurations.length && tests.length === all.length;
  if (everything) {
    const versions = `The suite is Debian’s libiscsi-bin ${packageVersion('libiscsi-bin')}, tgt is ${packageVersion('tgt')}`;
    writeFileSync(join(checkout, 'docs/conformance.md'), report({ versions, tests, runs }));
    say('\ndocs/conformance.md is written');
  }
  const { passed, failed, never, argued } = verdict(tests, runs);
  if (never.length > 0) say(`\npassed in no configuration: ${never.join(', ')}`);
  if (failed.length > 0) say(`\nfailed: ${failed.join(', ')}`);
  say(`\n${passed.length} passed, ${failed.length} failed, ${never.length + argued.length} skipped`);
  if (failed.length > 0 || (everything && never.length > 0)) process.exitCode = 1;
}

try {
  await main();
} catch (error) {
  say(`conformance: ${error.message}`);
  say('0 passed, 1 failed, 0 skipped');
  process.exitCode = 1;
}
