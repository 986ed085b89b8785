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
 * @param {import('node:child_process').ChildProcess} child
 * @returns {string | undefined} how it ended, undefined while it lives
 */
export function ending({ exitCode, signalCode }) {
  if (exitCode === null && signalCode === null) return undefined;
  return signalCode === null ? `status ${exitCode}` : signalCode;
}
