// HOT PATH: store() runs two or three times for every command.

/**
 * The memory of a journal: a file that processes map one after the other (native/mapped-file.cc), or an ordinary
 * ArrayBuffer. A process that is killed leaves in it what it had stored, in the order it had stored it.
 */
export class JournalMemory {
  readonly words: Int32Array;
  readonly bytes: Uint8Array;

  /** @param views of all of `buffer`, where not any will do */
  constructor(buffer: ArrayBuffer, views?: { readonly words: Int32Array; readonly bytes: Uint8Array }) {
    this.words = views?.words ?? new Int32Array(buffer, 0, buffer.byteLength >>> 2);
    this.bytes = views?.bytes ?? new Uint8Array(buffer);
  }

  /** Store a word after everything that was stored before, and before everything that will be. */
  store(index: number, value: number): void {
    // No Atomics.store(): it waits until all the data that was copied before has left the CPU's store buffer, which
    // takes longer than everything else here. Nobody reads the journal while its writer lives, and a thread that is
    // killed has made its stores up to one instruction and none after it, on every CPU: what counts is the order of the
    // instructions, and V8 keeps stores to typed arrays in the order of the program.
    this.words[index] = value;
  }
}
