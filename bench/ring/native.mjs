import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath, URL } from 'node:url';

/*
 * The generator and the consumer in C++ (bench/ring/native), built when they are first used.
 */

const folder = fileURLToPath(new URL('.', import.meta.url));
const binary = join(folder, 'build/Release/ring_bench.node');

function isCurrent() {
  if (!existsSync(binary)) return false;
  const built = statSync(binary).mtimeMs;
  const sources = readdirSync(join(folder, 'native')).map((name) => join(folder, 'native', name));
  return [...sources, join(folder, 'binding.gyp')].every((source) => statSync(source).mtimeMs <= built);
}

/** Build what is not built, or older than its source. */
export function buildNative() {
  if (isCurrent()) return;
  // By npx: npm's settings tell node-gyp where Node's headers are.
  const { status, stderr } = spawnSync('npx', ['--no-install', 'node-gyp', 'rebuild'], {
    cwd: folder,
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`node-gyp failed:\n${stderr}`);
}

/**
 * @typedef {object} Load What a generator asks of a consumer; all of it is to be given.
 * @property {number} depth commands in flight
 * @property {number} bytes of one command
 * @property {number} reads of 100 commands; the others are writes
 * @property {boolean} fill write the disk once from its beginning on, instead of at random
 * @property {number} diskBytes
 * @property {boolean} stamps the disk holds what is written to it; otherwise it reads as zeroes
 * @property {number} milliseconds 0 where `commands` counts
 * @property {number} commands
 * @property {boolean} copies copy the data in and out of the data area, as the kernel does
 * @property {boolean} wakeEach wake the consumer for each command, as the kernel does
 * @property {number} spinMicroseconds look so long for completions before sleeping
 * @property {number} cpu where the generator runs; -1: anywhere
 */

/**
 * @typedef {object} Outcome
 * @property {number} commands
 * @property {number} seconds
 * @property {number} errors commands that did not end GOOD
 * @property {number} checked reads whose data were looked at
 * @property {number} mismatches
 * @property {number} wakeUps
 * @property {number} cpuSeconds of the generator
 * @property {number} p50 latency in microseconds, of one command in 16
 * @property {number} p99
 * @property {number} longestGap the longest time in which nothing was answered, microseconds
 * @property {boolean} stalled nothing was answered for five seconds
 * @property {number} [consumerSeconds] CPU time of the process but for the generator
 * @property {[string, number][]} [allocated] with `sample: true`: bytes allocated by function, largest first
 * @property {number} [scavenges] collections of young garbage
 * @property {[string, number][]} [calls] where they are counted: calls from and to lunette's addon, by function
 */

/**
 * @returns {{
 *   Generator: new (descriptors: object) => { run(load: Load): Promise<Outcome> },
 *   GeneratorGroup: new (descriptors: object[]) => { run(load: Load): Promise<Outcome> },
 *   Consumer: new (descriptors: object | object[], options: { storage: 'null' | 'memory' | 'file', diskBytes: number,
 *     path?: string, cpu: number }) => { close(): void },
 *   adopt(pid: number, descriptor: number): number,
 *   release(descriptor: number): void,
 *   pin(cpu: number, thread?: number): void,
 * }} a generator may run one load at a time; a group feeds all its rings from one thread, and its load's depth and
 *   commands are those of each ring; pin() keeps the calling thread, or the one named, on a CPU
 */
export function loadNative() {
  return createRequire(import.meta.url)(binary);
}
