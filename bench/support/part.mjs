import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { checkout, say } from './bench.mjs';
import { plotBars } from './plot.mjs';

/*
 * What each part of the bench has in common: its arguments, the build before it, what it writes, and how it ends.
 */

/** The part needs what this machine does not have; the message says what, and how to get it. */
export class CannotRun extends Error {}

/** The exit status that says so. */
export const CANNOT_RUN = 3;

/* Checks of options: each takes the text, and gives the value or throws what the option must be. */

/** @param {number} least */
export const from = (least) => (text) => {
  const number = Number(text);
  if (text.trim() === '' || !(number >= least && number < Infinity))
    throw new Error(`a number from ${least}`);
  return number;
};

/** @param {number} least */
export const wholeFrom = (least) => (text) => {
  const number = Number(text);
  if (text.trim() === '' || !(number >= least && Number.isSafeInteger(number))) {
    throw new Error(`a whole number from ${least}`);
  }
  return number;
};

/** @param {string} text */
export function aboveZero(text) {
  const number = Number(text);
  if (!(number > 0 && number < Infinity)) throw new Error('a number above 0');
  return number;
}

/** @param {string} text */
export function regularExpression(text) {
  try {
    return new RegExp(text);
  } catch (error) {
    throw new Error(`a regular expression (${error.message})`, { cause: error });
  }
}

/** @param {readonly string[]} choices */
export const oneOf = (choices) => (text) => {
  if (!choices.includes(text)) throw new Error(`one of ${choices.join(', ')}`);
  return text;
};

/** How `lunette serve --isolate` may serve its devices. */
export const isolations = ['none', 'thread', 'process'];

function checked(value, name, check) {
  try {
    return Array.isArray(value) ? value.map(check) : check(value);
  } catch (error) {
    throw new Error(`--${name} ${value}: must be ${error.message}`, { cause: error });
  }
}

/** The machine in one line. */
export function machine() {
  const cpus = os.cpus();
  return `${cpus.length} × ${cpus[0]?.model ?? 'CPU'}, Linux ${os.release()}, Node ${process.version}`;
}

/** Bring dist/ up to date. */
function build() {
  const { status } = spawnSync('npm', ['run', '--silent', 'build'], { cwd: checkout, stdio: 'inherit' });
  if (status !== 0) throw new Error('npm run build failed');
}

/** @throws {CannotRun} */
export function needRoot(why) {
  if (process.getuid() !== 0) throw new CannotRun(`it needs root, ${why}: run it with sudo`);
}

/** @param {() => void} install throws what is missing, and how to get it */
export function needPackages(install) {
  try {
    install();
  } catch (error) {
    throw new CannotRun(error.message, { cause: error });
  }
}

async function writeResults(json, report, charts) {
  writeFileSync(
    json,
    `${JSON.stringify({ date: new Date().toISOString(), machine: machine(), ...report }, null, 2)}\n`,
  );
  const svg = json.replace(/(\.json)?$/, '.svg');
  await plotBars(svg, charts);
  say(`\n${json}\n${svg}`);
}

/**
 * Run one part as the program that this process is.
 * @param {object} part
 * @param {string} part.name of the part: its folder in bench/
 * @param {string} part.usage its own options, a line each
 * @param {object} part.options of parseArgs; all that take a value have a default
 * @param {Record<string, (text: string) => unknown>} [part.checks] by option: its value, or throws what it must be
 * @param {(values: object, tools: { build(): void,
 *   save(report: object, charts: import('./plot.mjs').Chart[]): Promise<void> }) => Promise<void>} part.main
 */
export async function runPart({ name, usage, options, checks = {}, main }) {
  try {
    const { values } = parseArgs({
      options: {
        ...options,
        json: { type: 'string', default: join(checkout, 'bench/results', `${name}.json`) },
        'no-build': { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    });
    if (values.help) {
      say(`npm run bench:${name} -- [options]\n\n${usage}`);
      say(
        `  --json FILE        where the results go (default bench/results/${name}.json), and an SVG plot beside them`,
      );
      say('  --no-build         take dist/ as it is');
      return;
    }
    for (const [option, check] of Object.entries(checks)) {
      values[option] = checked(values[option], option, check);
    }
    // A file of certificates for other programs, which every Node would read: half of what an empty one takes.
    delete process.env.NODE_EXTRA_CA_CERTS;
    // Before an hour of work, rather than after it.
    mkdirSync(dirname(values.json), { recursive: true });
    await main(values, {
      build: () => (values['no-build'] ? undefined : build()),
      save: (report, charts) => writeResults(values.json, report, charts),
    });
  } catch (error) {
    say(`bench:${name}: ${error.message}`);
    process.exitCode = error instanceof CannotRun ? CANNOT_RUN : 1;
  }
}
