// HOT PATH: one buffer for each READ.

/** Room for headers and digests beside the data, so that a power of two of data fits its class. */
const HEADROOM = 256;
const SMALLEST = 9;
const LARGEST = 18;

/** Buffers for Data-In, used again: making one of 4 KiB costs more than filling it. */
export class BufferPool {
  readonly #free: Buffer[][] = Array.from({ length: LARGEST + 1 }, () => []);
  #bytes = 0;
  readonly #maxBytes: number;

  /** @param maxBytes kept at most; what is released beyond it is left to the garbage collector */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** @returns a buffer of at least `length` bytes, with anybody's old data in it */
  take(length: number): Buffer {
    const index = length <= 512 + HEADROOM ? SMALLEST : 32 - Math.clz32(length - HEADROOM - 1);
    if (index > LARGEST) return Buffer.allocUnsafeSlow(length);
    const buffer = this.#free[index].pop();
    if (!buffer) return Buffer.allocUnsafeSlow((1 << index) + HEADROOM);
    this.#bytes -= buffer.length;
    return buffer;
  }

  /** Nothing may use the buffer any more. */
  release(buffer: Buffer): void {
    const data = buffer.length - HEADROOM;
    const index = 31 - Math.clz32(data);
    if (index < SMALLEST || index > LARGEST || data !== 1 << index) return;
    if (this.#bytes + buffer.length > this.#maxBytes) return;
    this.#bytes += buffer.length;
    this.#free[index].push(buffer);
  }
}
