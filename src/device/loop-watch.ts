// HOT PATH: enter() and leave() run for every command; they store a few numbers.
import { Worker } from 'node:worker_threads';

/** Words of the memory shared with the watching thread. */
const word = {
  /** Grows with each turn that the event loop is seen to take. */
  beat: 0,
  /** 1 while a command's verb is being called. */
  active: 1,
  /** The device and the operation code of the command that was begun last. */
  device: 2,
  opcode: 3,
  count: 4,
} as const;

export interface LoopWatchOptions {
  /** Milliseconds that the event loop may be kept from turning. */
  readonly threshold: number;
  /** Names of commands by operation code. */
  readonly commandNames?: readonly string[];
  /** Told when the loop turns again. @param milliseconds how long it did not */
  readonly onUnblocked?: (milliseconds: number, what: string) => void;
  /** The watching thread is gone. */
  readonly onFailure?: (error: Error) => void;
  /** How the watching thread writes to stderr while the loop is blocked: as JSON lines or as text. Default json. */
  readonly format?: 'json' | 'text';
  /** Ask the inspector where the loop is held up: it can look at a process's main thread only. Default true. */
  readonly stacks?: boolean;
}

/*
 * The watching thread. Plain JavaScript, because it is loaded without any loader for TypeScript. While the main
 * thread is blocked it asks V8's inspector what that thread is doing: the debugger can interrupt a loop, and names
 * function, file and line. Within a system call there is nothing to interrupt.
 */
const watcherSource = `
const { parentPort, workerData } = require('node:worker_threads');
const { writeSync } = require('node:fs');
const { memory, threshold, names, format, stacks, word } = workerData;
const words = new Int32Array(memory);
const devices = new Map();
parentPort.on('message', ({ index, name }) => devices.set(index, name));
let beat = Atomics.load(words, word.beat);
let since = performance.now();
let told = false;

function what() {
  const device = devices.get(Atomics.load(words, word.device));
  if (device === undefined) return 'no command was begun yet';
  const opcode = Atomics.load(words, word.opcode);
  const name = names[opcode] || 'operation code ' + opcode.toString(16).padStart(2, '0') + 'h';
  return Atomics.load(words, word.active) === 1
    ? 'in ' + name + ' of ' + device
    : 'after ' + name + ' of ' + device + ', the last command that was begun';
}

function frames() {
  return new Promise((resolve) => {
    let session;
    const finish = (value) => {
      clearTimeout(timer);
      try { session.disconnect(); } catch {}
      resolve(value);
    };
    const timer = setTimeout(() => finish([]), 250);
    try {
      const { Session } = require('node:inspector');
      session = new Session();
      session.connectToMainThread();
      const urls = new Map();
      session.on('Debugger.scriptParsed', ({ params }) => urls.set(params.scriptId, params.url));
      session.on('Debugger.paused', ({ params }) => {
        const lines = params.callFrames.slice(0, 8).map(({ functionName, location }) =>
          '    at ' + (functionName || '<anonymous>') + ' (' + urls.get(location.scriptId) + ':' + (location.lineNumber + 1) + ':' +
          ((location.columnNumber || 0) + 1) + ')');
        session.post('Debugger.resume', () => finish(lines));
      });
      session.post('Debugger.enable', () => session.post('Debugger.pause'));
    } catch {
      finish([]);
    }
  });
}

async function tell(milliseconds) {
  const where = what();
  const stack = stacks ? await frames() : [];
  const text = 'the event loop has not turned for ' + Math.round(milliseconds) + ' ms: ' + where +
    (stack.length > 0 ? '\\n' + stack.join('\\n') : '');
  const line = format === 'json'
    ? JSON.stringify({ level: 'error', time: Date.now(), pid: process.pid, where, stack, msg: text })
    : 'ERROR: ' + text;
  try { writeSync(2, line + '\\n'); } catch {}
  parentPort.postMessage(where);
}

setInterval(() => {
  const now = Atomics.load(words, word.beat);
  if (now !== beat) {
    beat = now;
    since = performance.now();
    told = false;
    return;
  }
  const milliseconds = performance.now() - since;
  if (milliseconds < threshold || told) return;
  told = true;
  void tell(milliseconds);
}, Math.max(10, threshold / 8));
`;

/** Finds out when something keeps the event loop from turning, and what. One for a process. */
export class LoopWatch {
  readonly #words = new Int32Array(new SharedArrayBuffer(word.count * 4));
  readonly #worker: Worker;
  readonly #timer: NodeJS.Timeout;
  #devices = 0;
  #last = performance.now();

  constructor({
    threshold,
    commandNames = [],
    onUnblocked,
    onFailure,
    format = 'json',
    stacks = true,
  }: LoopWatchOptions) {
    this.#words[word.device] = -1;
    this.#worker = new Worker(watcherSource, {
      eval: true,
      // No loader, and no option that would take the source for an ES module.
      execArgv: [],
      workerData: { memory: this.#words.buffer, threshold, names: commandNames, format, stacks, word },
    });
    // Named in the message that the watching thread posts, which comes when the loop turns again.
    let blocked = 0;
    this.#worker.on('message', (what: string) => onUnblocked?.(blocked, what));
    this.#worker.on('error', (error) => onFailure?.(error));
    this.#worker.unref();
    this.#timer = setInterval(
      () => {
        const now = performance.now();
        const pause = now - this.#last;
        if (pause >= threshold) blocked = pause;
        this.#last = now;
        Atomics.add(this.#words, word.beat, 1);
      },
      Math.max(5, threshold / 8),
    ).unref();
  }

  /** @returns the device's number, for enter() */
  register(name: string): number {
    const index = this.#devices++;
    this.#worker.postMessage({ index, name });
    return index;
  }

  /** A command's verb is about to be called. */
  enter(device: number, opcode: number): void {
    this.#words[word.device] = device;
    this.#words[word.opcode] = opcode;
    this.#words[word.active] = 1;
  }

  /** The verb has returned, or goes on asynchronously. */
  leave(): void {
    this.#words[word.active] = 0;
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#worker.terminate();
  }
}
