import { fork } from 'node:child_process';
import { fileURLToPath, URL } from 'node:url';

const script = fileURLToPath(new URL('subject.mjs', import.meta.url));

/** One consumer of a ring with its generator, in a process of its own (subject.mjs). */
export class Contestant {
  #child;
  #waiting;

  /**
   * @param {{ consumer: 'lunette' | 'c', storage: string, asynchronous?: boolean, path?: string, options?: string,
   *   diskBytes: number, cpu?: number, countCalls?: boolean }} what
   * @param {{ execArgv?: string[] }} how
   */
  static async start(what, { execArgv = [] } = {}) {
    const args = [
      '--consumer',
      what.consumer,
      '--storage',
      what.storage,
      '--disk-bytes',
      String(what.diskBytes),
    ];
    if (what.asynchronous) args.push('--asynchronous');
    if (what.countCalls) args.push('--count-calls');
    if (what.cpu !== undefined) args.push('--cpu', String(what.cpu));
    if (what.path) args.push('--path', what.path);
    if (what.options) args.push('--options', what.options);
    const contestant = new Contestant(fork(script, args, { execArgv }));
    await contestant.#answer();
    return contestant;
  }

  constructor(child) {
    this.#child = child;
    child.on('message', (message) => {
      if (message.error) this.#waiting?.reject(new Error(message.error));
      else this.#waiting?.resolve(message.outcome);
    });
    child.on('exit', (code, signal) => {
      this.#waiting?.reject(new Error(`the consumer's process ended: ${signal ?? code}`));
    });
  }

  get pid() {
    return this.#child.pid;
  }

  #answer() {
    return new Promise((resolve, reject) => (this.#waiting = { resolve, reject }));
  }

  /** @param {import('./native.mjs').Load} load @returns {Promise<import('./native.mjs').Outcome>} */
  async run(load) {
    const answer = this.#answer();
    this.#child.send(load);
    const outcome = await answer;
    if (outcome.stalled) throw new Error('nothing was answered for five seconds');
    if (outcome.errors > 0) throw new Error(`${outcome.errors} of ${outcome.commands} commands failed`);
    if (outcome.mismatches > 0) {
      throw new Error(`${outcome.mismatches} of ${outcome.checked} reads got wrong data`);
    }
    return outcome;
  }

  async stop() {
    this.#waiting = undefined;
    const ended = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#child.disconnect();
    await ended;
  }
}
