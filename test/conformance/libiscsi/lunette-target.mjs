import { spawn } from 'node:child_process';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { clearTimeout, setTimeout } from 'node:timers';
import { fileURLToPath, URL } from 'node:url';
import { ending, LastLines, watch } from './child-process.mjs';
import { exportArguments } from './configurations.mjs';

export const checkout = fileURLToPath(new URL('../../..', import.meta.url));

/** Milliseconds until a target has printed its URLs. */
const patience = 20_000;

/**
 * Start the embedded target as a user would.
 * @param {import('./configurations.mjs').Configuration} configuration
 * @returns {Promise<import('./run.mjs').RunningTarget>}
 */
export async function startLunette(configuration) {
  const child = spawn(process.execPath, ['dist/cli/main.js', ...exportArguments(configuration)], {
    cwd: checkout,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const errors = new LastLines(child.stderr);
  const wanted = configuration.portals ?? 1;
  const urls = await new Promise((resolve, reject) => {
    const found = [];
    const fail = (what) => reject(new Error(`lunette export ${what}\n${errors}`));
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      fail(`printed ${found.length} of ${wanted} URLs in ${patience / 1000} s`);
    }, patience);
    createInterface({ input: child.stdout }).on('line', (line) => {
      const url = /^\s*(iscsi:\/\/\S+)\s*$/.exec(line);
      if (!url) return;
      found.push(url[1].replace(/^iscsi:\/\/(?:[^/@]*@)?/, `iscsi://${credentials(configuration)}`));
      if (found.length < wanted) return;
      clearTimeout(timer);
      resolve(found);
    });
    child.on('error', (error) => fail(error.message));
    child.on('close', () => {
      clearTimeout(timer);
      fail(`ended with ${ending(child)}`);
    });
  });
  return {
    urls,
    ...watch(child, errors, 'lunette export', 'SIGINT'),
  };
}

const credentials = ({ credentials: pair }) => (pair === undefined ? '' : `${pair}@`);
