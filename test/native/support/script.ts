import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../../', import.meta.url));

/** Begins every script: `addon`, and what reads the process's own state from /proc. */
const PREAMBLE = `
  const addon = require('node-gyp-build')(${JSON.stringify(root)});
  const { MemoryRegion, NetlinkSocket } = addon;
  const assert = require('node:assert');
  const { readdirSync, readFileSync } = require('node:fs');
  const { Worker, parentPort, workerData } = require('node:worker_threads');
  const openFiles = () => readdirSync('/proc/self/fd').length;
  const mappedRegions = () => readFileSync('/proc/self/maps', 'utf8').split('memfd:lunette-region').length - 1;
  const turn = () => new Promise((resolve) => setImmediate(resolve));
`;

export interface ScriptResult {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

/** The CommonJS source of a script, for runScript() or for a Worker with `eval: true`. */
export function withAddon(body: string): string {
  return PREAMBLE + body;
}

/**
 * Run a script in a Node process of its own (with `gc()`): a crash there is a result here.
 */
export function runScript(body: string): Promise<ScriptResult> {
  return runNode(['--expose-gc', '--input-type=commonjs', '-e', withAddon(body)]);
}

/** Run Node in a process of its own, killed when it has not ended after 15 seconds. */
export function runNode(args: readonly string[]): Promise<ScriptResult> {
  const child = spawn(process.execPath, args, {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 15_000,
    killSignal: 'SIGKILL',
  });
  const output = { stdout: '', stderr: '' };
  for (const stream of ['stdout', 'stderr'] as const) {
    child[stream].setEncoding('utf8').on('data', (text: string) => (output[stream] += text));
  }
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve({ code, signal, ...output }));
  });
}

/** What a script that went well has, for deep equality: its output shows when it did not. */
export const cleanExit = (stdout: string): ScriptResult => ({ code: 0, signal: null, stdout, stderr: '' });
