import { AsyncLocalStorage, createHook, type AsyncHook } from 'node:async_hooks';
import type { CommandContext, Disk } from '../handlers/contract.js';

/** A call of a handler's verb, and where it was when it last began to wait. */
interface Verb {
  readonly name: string;
  /** Holds a stack that is made into text only when somebody reads it. */
  where: { stack?: string };
}

/** Lines of a stack that are shown. */
const LINES = 8;

/** Frames that are nobody's fault: Node's own, and this file's. */
const OWN_FRAME = /node:internal|node:async_hooks|verb-trace\.[jt]s/;

const current = new AsyncLocalStorage<Verb>();
let users = 0;
let hook: AsyncHook | undefined;

function capture(): { stack?: string } {
  const holder: { stack?: string } = {};
  Error.captureStackTrace(holder, capture);
  return holder;
}

/** Every promise that is made while a verb runs: the last one is, nearly always, what the verb awaits. */
function follow(): void {
  users++;
  hook ??= createHook({
    init(_id, type) {
      const verb = current.getStore();
      if (verb !== undefined && type !== 'TIMERS') verb.where = capture();
    },
  });
  hook.enable();
}

/**
 * Knows where the verbs of a disk are, so that one that takes too long can be reported with its stack. Costs some
 * microseconds each time a verb waits: for whoever looks for a fault.
 */
export class VerbTrace {
  readonly #verbs = new WeakMap<CommandContext, Verb>();
  #closed = false;

  constructor() {
    follow();
  }

  /** `disk`, with its verbs followed. */
  wrap(disk: Disk): Disk {
    const verbs = this.#verbs;
    return new Proxy(disk, {
      get(target, key): unknown {
        const value: unknown = Reflect.get(target, key);
        if (typeof value !== 'function') return value;
        const method = value as (...args: unknown[]) => unknown;
        return (...args: unknown[]): unknown => {
          const context = args.at(-1);
          if (typeof context !== 'object' || context === null || !('signal' in context)) {
            return method.apply(target, args);
          }
          const verb: Verb = { name: String(key), where: {} };
          verbs.set(context as CommandContext, verb);
          return current.run(verb, () => method.apply(target, args));
        };
      },
    });
  }

  /** Where the last verb that was given `context` waits: several lines; undefined where none was. */
  describe(context: CommandContext): string | undefined {
    const verb = this.#verbs.get(context);
    if (verb === undefined) return undefined;
    const frames = (verb.where.stack ?? '')
      .split('\n')
      .filter((line) => /^\s+at /.test(line) && !OWN_FRAME.test(line));
    if (frames.length === 0) return `in ${verb.name}`;
    return `in ${verb.name}, waiting for what it began\n${frames.slice(0, LINES).join('\n')}`;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    users--;
    if (users === 0) hook?.disable();
  }
}
