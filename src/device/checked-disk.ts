import type { CommandContext, Disk, Done } from '../handlers/contract.js';

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

/** Run a verb on private copies of `buffers`; with `copyBack`, what the verb left in them is the answer. */
function onCopies<Result>(
  buffers: readonly Uint8Array[],
  copyBack: boolean,
  verb: (copies: Uint8Array[]) => Result,
): Result {
  const copies = buffers.map((buffer) => buffer.slice());
  const finish = (): void => {
    if (copyBack) copies.forEach((copy, index) => buffers[index].set(copy));
    detach(copies);
  };
  let result: Result;
  try {
    result = verb(copies);
  } catch (error) {
    detach(copies);
    throw error;
  }
  if (isPromise(result)) {
    return result.then(
      (value) => {
        finish();
        return value;
      },
      (error: unknown) => {
        detach(copies);
        throw error;
      },
    ) as Result;
  }
  finish();
  return result;
}

/** Wrap `disk` so that a buffer used after its verb is done fails at once. */
export function checkedDisk(disk: Disk): Disk {
  const { read, write, readv, writev, compareAndWrite, command } = disk;
  const one =
    (verb: NonNullable<Disk['write']>, copyBack: boolean) =>
    (buffer: Uint8Array, offset: number, context: CommandContext): Done =>
      onCopies([buffer], copyBack, ([copy]) => verb.call(disk, copy, offset, context));
  const many =
    (verb: NonNullable<Disk['writev']>, copyBack: boolean) =>
    (buffers: readonly Uint8Array[], offset: number, context: CommandContext): Done =>
      onCopies(buffers, copyBack, (copies) => verb.call(disk, copies, offset, context));

  // The disk stays the prototype: capabilities, the changing size and the verbs without data are its own.
  const overrides: Partial<Disk> = {
    read: one(read, true),
    ...(write && { write: one(write, false) }),
    ...(readv && { readv: many(readv, true) }),
    ...(writev && { writev: many(writev, false) }),
    ...(compareAndWrite && {
      compareAndWrite: (compare: Uint8Array, data: Uint8Array, offset: number, context: CommandContext) =>
        onCopies([compare, data], false, ([a, b]) => compareAndWrite.call(disk, a, b, offset, context)),
    }),
    ...(command && {
      command: (cdb: Uint8Array, dataOut: Uint8Array, dataIn: Uint8Array, context: CommandContext) =>
        onCopies([cdb, dataOut, dataIn], true, ([a, b, c]) => command.call(disk, a, b, c, context)),
    }),
  };
  return new Proxy(disk, {
    get(target, key): unknown {
      if (Object.hasOwn(overrides, key)) return overrides[key as keyof Disk];
      const value: unknown = Reflect.get(target, key);
      return typeof value === 'function' ? (value as (...args: unknown[]) => unknown).bind(target) : value;
    },
  });
}
