import { JournalMemory } from '../ring/journal-memory.js';
import type { RingRegion } from '../ring/region.js';

/**
 * Ends a consumer after its n-th store to memory that outlives it, as SIGKILL could. The code runs on, but nothing it
 * does is seen any more.
 */
export class CrashPoint {
  /** Stores made. */
  stores = 0;
  #dead = false;
  readonly #after: number;

  /** @param after stores that are still made; Infinity never crashes */
  constructor(after = Infinity) {
    this.#after = after;
  }

  get dead(): boolean {
    return this.#dead;
  }

  /** Now. */
  die(): void {
    this.#dead = true;
  }

  /** One step that others can see. @returns whether it happens */
  step(): boolean {
    if (this.stores === this.#after) this.#dead = true;
    if (this.#dead) return false;
    this.stores++;
    return true;
  }

  /** The same array, each of whose stores is a step. */
  watch<View extends Uint8Array | Uint32Array | Int32Array>(array: View): View {
    const step = (): boolean => this.step();
    const fill = (value: number, start = 0, end = array.length): void => {
      for (let index = start; index < end; index++) if (step()) array[index] = value;
    };
    return new Proxy(array, {
      get(target, key): unknown {
        if (key === 'fill') return fill;
        const value = Reflect.get(target, key, target) as unknown;
        return typeof value === 'function' ? (value.bind(target) as unknown) : value;
      },
      set(target, key, value: number): boolean {
        if (step()) target[Number(key)] = value;
        return true;
      },
    });
  }
}

/** A journal's memory that a crash point watches. */
export class CrashingJournalMemory extends JournalMemory {
  readonly #crash: CrashPoint;
  readonly #words: Int32Array;

  constructor(buffer: ArrayBuffer, crash: CrashPoint) {
    const words = new Int32Array(buffer, 0, buffer.byteLength >>> 2);
    super(buffer, { words: crash.watch(words), bytes: crash.watch(new Uint8Array(buffer)) });
    this.#words = words;
    this.#crash = crash;
  }

  override store(index: number, value: number): void {
    if (this.#crash.step()) this.#words[index] = value;
  }
}

/** A region that a crash point watches. Closing it is what the kernel sees of the process's end. */
export class CrashingRegion implements RingRegion {
  readonly buffer: ArrayBuffer;
  readonly views: { readonly bytes: Uint8Array; readonly words: Uint32Array };
  readonly #region: RingRegion;
  readonly #crash: CrashPoint;

  constructor(region: RingRegion, crash: CrashPoint) {
    this.#region = region;
    this.#crash = crash;
    this.buffer = region.buffer;
    this.views = {
      bytes: crash.watch(new Uint8Array(region.buffer)),
      words: crash.watch(new Uint32Array(region.buffer, 0, region.buffer.byteLength >>> 2)),
    };
  }

  loadHead(): number {
    return this.#region.loadHead();
  }

  storeTail(tail: number): void {
    if (this.#crash.step()) this.#region.storeTail(tail);
  }

  kick(): void {
    if (this.#crash.step()) this.#region.kick();
  }

  onCommand(callback: (error?: Error) => void): void {
    this.#region.onCommand((error) => {
      if (!this.#crash.dead) callback(error);
    });
  }

  close(): void {
    this.#region.close();
  }
}
