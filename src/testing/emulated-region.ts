import type { RingRegion } from '../ring/region.js';
import type { RingWriter } from './ring-writer.js';

/** What a region asks of its kernel. */
export interface RegionHost {
  readonly writer: RingWriter;
  doorbell(): void;
  closed(): void;
}

/** The consumer's side of an emulated kernel: what open and mmap of its UIO device give. */
export class EmulatedRegion implements RingRegion {
  #callback: ((error?: Error) => void) | undefined;
  #wake: NodeJS.Immediate | undefined;
  #pending = false;
  #open = true;

  constructor(
    readonly buffer: ArrayBuffer,
    readonly host: RegionHost,
  ) {}

  get isOpen(): boolean {
    return this.#open;
  }

  loadHead(): number {
    this.#check();
    return this.host.writer.head;
  }

  storeTail(tail: number): void {
    this.#check();
    this.host.writer.tail = tail;
  }

  kick(): void {
    this.#check();
    this.host.doorbell();
  }

  onCommand(callback: (error?: Error) => void): void {
    this.#check();
    this.#callback = callback;
    if (this.#pending) this.wake();
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#callback = undefined;
    clearImmediate(this.#wake);
    this.host.closed();
  }

  /** Wake the consumer, in a later turn as a poll does; several wake-ups before it become one. */
  wake(): void {
    this.#pending = true;
    if (!this.#callback) return;
    this.#wake ??= setImmediate(() => {
      this.#wake = undefined;
      this.#pending = false;
      this.#callback?.();
    });
  }

  /** The device was removed: the consumer can wait no more. */
  fail(error: Error): void {
    clearImmediate(this.#wake);
    const callback = this.#callback;
    this.#callback = undefined;
    callback?.(error);
  }

  #check(): void {
    if (!this.#open) throw new Error('the region is closed');
  }
}
