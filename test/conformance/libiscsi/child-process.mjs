/* global AbortController */
import { once } from 'node:events';
import { clearTimeout, setTimeout } from 'node:timers';

/** The last lines a process printed on its standard error. */
export class LastLines {
  #lines = [];

  /** @param {import('node:stream').Readable} stream */
  constructor(stream) {
    let rest = '';
    stream.setEncoding('utf8');
    stream.on('data', (text) => {
      const lines = (rest + text).split('\n');
      rest = lines.pop();
      this.#lines.push(...lines);
      this.#lines.splice(0, this.#lines.length - 40);
    });
  }

  toString() {
    return this.#lines.join('\n');
  }
}

/**
 * End a process, by force where it does not go by itself.
 * @param {import('node:child_process').ChildProcess} child
 * @param {{ signal?: NodeJS.Signals, milliseconds?: number }} [options]
 */
export async function endProcess(child, { signal = 'SIGINT', milliseconds = 5000 } = {}) {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill(signal);
  const timer = setTimeout(() => child.kill('SIGKILL'), milliseconds);
  await gone;
  clearTimeout(timer);
}

/**
 * Run a process that is to go on until it is stopped.
 * @param {import('node:child_process').ChildProcess} child
 * @param {LastLines} errors
 * @param {string} name
 * @param {NodeJS.Signals} signal how to stop it
 * @returns {{ died: AbortSignal, stop: () => Promise<void> }} `died` is aborted where it ends by itself
 */
export function watch(child, errors, name, signal) {
  const controller = new AbortController();
  let stopping = false;
  child.on('close', () => {
    if (!stopping) controller.abort(new Error(`${name} ended with ${ending(child)}\n${errors}`));
  });
  return {
    died: controller.signal,
    stop: () => {
      stopping = true;
      return endProcess(child, { signal });
    },
  };
}

/**
 * @param {import('node:child_process').ChildProcess} child
 * @returns {string | undefined} how it ended, undefined while it lives
 */
export function ending({ exitCode, signalCode }) {
  if (exitCode === null && signalCode === null) return undefined;
  return signalCode === null ? `status ${exitCode}` : signalCode;
}
