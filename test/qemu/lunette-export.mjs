import { spawn } from 'node:child_process';
import { once } from 'node:events';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { clearTimeout, setTimeout } from 'node:timers';
import { fileURLToPath, URL } from 'node:url';
import { ending, endProcess, LastLines } from '../conformance/libiscsi/child-process.mjs';

export const checkout = fileURLToPath(new URL('../..', import.meta.url));

/** Milliseconds. */
const patience = 20_000;

/** A disk that `lunette export` serves over iSCSI. */
export class LunetteExport {
  #child;
  #errors;
  /** @type {string} iscsi://… */
  url;

  static async start(...args) {
    const target = new LunetteExport();
    const child = spawn(process.execPath, ['dist/cli/main.js', 'export', ...args], {
      cwd: checkout,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    target.#child = child;
    target.#errors = new LastLines(child.stderr);
    process.once('exit', () => void endProcess(child, { signal: 'SIGKILL' }));
    target.url = await new Promise((resolve, reject) => {
      const fail = (what) => reject(new Error(`lunette export ${what}\n${target.#errors}`));
      const timer = setTimeout(() => {
        fail(`printed no URL in ${patience / 1000} s`);
        child.kill('SIGKILL');
      }, patience);
      createInterface({ input: child.stdout }).on('line', (line) => {
        const [url] = /iscsi:\/\/\S+/.exec(line) ?? [];
        if (url === undefined) return;
        clearTimeout(timer);
        resolve(url);
      });
      child
        .on('error', (error) => fail(error.message))
        .on('close', () => fail(`ended with ${ending(child)}`));
    });
    return target;
  }

  /** Lines of its log that are errors or warnings. */
  complaints() {
    return `${this.#errors}`
      .split('\n')
      .filter((line) => /"level":"?(warn|error|fatal|40|50|60)|WARN|ERROR/.test(line));
  }

  /** SIGINT, as a user ends it. @returns {Promise<number | null>} its exit status */
  async stop() {
    if (ending(this.#child) !== undefined) return this.#child.exitCode;
    const gone = once(this.#child, 'exit');
    await endProcess(this.#child, { signal: 'SIGINT', milliseconds: 10_000 });
    await gone;
    return this.#child.exitCode;
  }
}
