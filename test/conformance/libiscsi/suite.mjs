import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { clearTimeout, setTimeout } from 'node:timers';
import { SuiteOutput } from './suite-output.mjs';

/** @typedef {import('./suite-output.mjs').TestResult} TestResult */

const program = 'iscsi-test-cu';
const flags = ['--verbose'];
const destructive = ['--dataloss', '--allow-sanitize'];

/**
 * A test that prints nothing for so long hangs (Sanitize.Reset sleeps for a minute at a time); a whole run that
 * takes so long does too. Milliseconds.
 */
const limits = { silence: 150_000, run: 600_000 };

/** How often a run that broke off is taken up again behind the test that broke it. */
const restarts = 12;

/**
 * @param {string[]} urls
 * @param {boolean} dataloss whether tests may write
 * @returns {string} the command as a user would type it
 */
export const suiteCommand = (urls, dataloss = true) =>
  [program, ...flags, ...(dataloss ? destructive : []), '--test=ALL', ...urls].join(' ');

/** @returns {string[]} every test of the suite as Suite.Test, in the order they run */
export function listTests() {
  const { stdout, error } = spawnSync(program, ['--list'], { encoding: 'utf8' });
  if (error) throw new Error(`${program} --list: ${error.message}`);
  return stdout
    .split('\n')
    .filter((line) => /^ALL\.[^.]+\.[^.]+$/.test(line))
    .map((line) => line.slice('ALL.'.length));
}

/** What the program is to run, by the line: whole suites by their name, so that they log in only once. */
function testList(tests, all) {
  const lines = new Set();
  for (const test of tests) {
    const suite = test.slice(0, test.indexOf('.') + 1);
    const isWhole = all.every((other) => !other.startsWith(suite) || tests.includes(other));
    lines.add(isWhole ? `ALL.${suite.slice(0, -1)}` : `ALL.${test}`);
  }
  return [...lines].map((line) => `${line}\n`).join('');
}

/**
 * One start of the program.
 * @returns {Promise<string>} why it ended
 */
function start(options, urls, list, output, onLine, signal) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, [...options, `--test=${list}`, ...urls], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let ended;
    let silence;
    const end = (reason) => {
      ended ??= reason;
      child.kill('SIGKILL');
    };
    const whole = setTimeout(() => end(`the run was ended after ${limits.run / 1000} s`), limits.run);
    const listen = () => {
      clearTimeout(silence);
      silence = setTimeout(() => end(`nothing was printed for ${limits.silence / 1000} s`), limits.silence);
    };
    listen();
    const abort = () => end(signal.reason.message);
    signal?.addEventListener('abort', abort);
    createInterface({ input: child.stdout }).on('line', (line) => {
      listen();
      onLine(line);
      output.take(line);
    });
    createInterface({ input: child.stderr }).on('line', onLine);
    child.on('error', (error) => {
      clearTimeout(whole);
      clearTimeout(silence);
      reject(new Error(`${program}: ${error.message}`));
    });
    child.on('close', (status, killedBy) => {
      clearTimeout(whole);
      clearTimeout(silence);
      signal?.removeEventListener('abort', abort);
      resolve(ended ?? `${program} ended with ${killedBy ?? `status ${status}`}`);
    });
  });
}

/**
 * Run tests against one logical unit. Where one of them ends the program or hangs it, it has failed, and the run
 * goes on behind it.
 * @param {{ urls: string[], tests: string[], onLine: (line: string) => void, dataloss?: boolean, signal?: AbortSignal }}
 *   options `tests` in the suite's order; without `dataloss` the suite skips those that write; `signal` ends the run
 * @returns {Promise<Map<string, TestResult>>} a result for each of `tests`
 */
export async function runSuite({ urls, tests, onLine, dataloss = true, signal }) {
  const options = dataloss ? [...flags, ...destructive] : flags;
  const all = listTests();
  const folder = mkdtempSync(join(tmpdir(), 'lunette-conformance-'));
  const list = join(folder, 'tests');
  const results = new Map();
  let reason = '';
  try {
    let left = tests;
    for (let run = 0; run <= restarts && left.length > 0; run++) {
      writeFileSync(list, testList(left, all));
      const output = new SuiteOutput((result) => results.set(result.name, result));
      const before = results.size;
      reason = await start(options, urls, list, output, onLine, signal);
      output.end(reason);
      left = left.filter((name) => !results.has(name));
      if (results.size === before || signal?.aborted) break;
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  for (const name of tests) {
    if (!results.has(name))
      results.set(name, { name, outcome: 'failed', detail: [`did not run: ${reason}`] });
  }
  return results;
}
