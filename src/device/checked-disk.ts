import type { CommandContext, Disk, Done, Hold } from '../handlers/contract.js';

/*
 * `--checked-buffers`: each verb gets a private copy of the data, which is detached when the verb is done. A
 * handler that keeps a buffer longer then throws at once, instead of reading or writing another command's data.
 */

function isPromise(value: unknown): value is Promise<unknown> {
  return typeof (value as Promise<unknown> | undefined)?.then === 'function';
}

/** Transferring a buffer to nowhere is what detaches it in Node 20. */
function detach(copies: readonly Uint8Array[]): void {
  const buffers = copies.map((copy) => copy.buffer as ArrayBuffer);
  structuredClone(buffers, { transfer: buffers });
}

/** The context of a verb whose copies outlive it as long as they are held. */
function holding(context: CommandContext, changed: (by: number) => void): CommandContext {
  const { hold } = context;
  if (!hold) return context;
  return {
    fua: context.fua,
    dpo: context.dpo,
    get signal(): AbortSignal {
      return context.signal;
    },
    hold: (): Hold => {
      const held = hold();
      let released = false;
      changed(1);
      return {
        release: () => {
          held.release();
          if (!released) changed(-1);
          released = true;
        },
      };
    },
  };
}

/** Run a verb on private copies of `buffers`; with `copyBack`, what the verb left in them is the answer. */
function onCopies<Result>(
  buffers: readonly Uint8Array[],
  copyBack: boolean,
  context: CommandContext,
  verb: (copies: Uint8Array[], context: CommandContext) => Result,
): Result {
  // Not slice(): that of a Buffer gives another view of the same memory.
  const copies = buffers.map((buffer) => new Uint8Array(buffer));
  // The verb itself, and each hold.
  let users = 1;
  const use = (by: number): void => {
    users += by;
    if (users === 0) detach(copies);
  };
  const finish = (): void => {
    if (copyBack) copies.forEach((copy, index) => buffers[index].set(copy));
    use(-1);
  };
  let result: Result;
  try {
    result = verb(copies, holding(context, use));
  } catch (error) {
    use(-1);
    throw error;
  }
  if (isPromise(result)) {
    return Promise.resolve(result).then(
      (value) => {
        finish();
        return value;
      },
      (error: unknown) => {
        use(-1);
        throw error;
      },
    ) as Result;
  }
  finish();
  return result;
}

/** Wrap `disk` so that a buffer used after its verb is done fails at once. */
export function checkedDisk(disk: Disk): Disk {
  const one =
    (verb: 'read' | 'write') =>
    (buffer: Uint8Array, offset: number, context: CommandContext): Done =>
      onCopies([buffer], verb === 'read', context, ([copy], inner) => disk[verb]!(copy, offset, inner));
  const many =
    (verb: 'readv' | 'writev') =>
    (buffers: readonly Uint8Array[], offset: number, context: CommandContext): Done =>
      onCopies(buffers, verb === 'readv', context, (copies, inner) => disk[verb]!(copies, offset, inner));
  const verbs: Partial<Disk> = {
    read: one('read'),
    write: one('write'),
    readv: many('readv'),
    writev: many('writev'),
    compareAndWrite: (compare, data, offset, context) =>
      onCopies([compare, data], false, context, ([a, b], inner) =>
        disk.compareAndWrite!(a, b, offset, inner),
      ),
    command: (cdb, dataOut, dataIn, context) =>
      onCopies([cdb, dataOut, dataIn], true, context, ([a, b, c], inner) => disk.command!(a, b, c, inner)),
  };

  // Capabilities, the changing size and the verbs without data are the disk's own.
  return new Proxy(disk, {
    get(target, key): unknown {
      const value: unknown = Reflect.get(target, key);
      if (typeof value !== 'function') return value;
      if (Object.hasOwn(verbs, key)) return verbs[key as keyof Disk];
      return (value as (...args: unknown[]) => unknown).bind(target);
    },
  });
}
