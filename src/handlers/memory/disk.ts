import type { Disk, DiskMaker, Extent } from '../contract.js';
import { checkSize, requiredGeometry, type GeometryOptions } from '../geometry.js';
import { PAGE_SIZE, PageStore } from './page-store.js';

/** What one disk hands over to the next. */
class Contents {
  constructor(
    readonly store: PageStore,
    readonly size: number,
  ) {}
}

class MemoryDisk implements Disk {
  readonly unmapGranularity: number;
  /** A write ends in the turn it began; only where memory is limited can it end half way. */
  readonly atomicWriteSize: number | undefined;
  #size: number;
  #store: PageStore;

  constructor(
    bytes: number,
    readonly blockSize: number,
    limit: number | undefined,
    inherited: unknown,
  ) {
    this.#size = bytes;
    const contents = inherited instanceof Contents ? inherited : new Contents(new PageStore(), 0);
    this.#store = contents.store;
    this.#store.limit = limit ?? Infinity;
    if (contents.size > bytes) this.#store.clear(bytes, contents.size - bytes);
    this.unmapGranularity = PAGE_SIZE;
    this.atomicWriteSize = limit === undefined ? 8 * 1024 * 1024 : undefined;
  }

  get size(): number {
    return this.#size;
  }

  read(buffer: Uint8Array, offset: number): void {
    this.#store.read(buffer, offset);
  }

  write(buffer: Uint8Array, offset: number): void {
    this.#store.write(buffer, offset);
  }

  unmap(offset: number, length: number): void {
    this.#store.clear(offset, length);
  }

  writeZeroes(offset: number, length: number): void {
    this.#store.clear(offset, length);
  }

  /** Pages are kept nowhere else: forgetting them is as final as forgetting a key. */
  cryptoErase(): void {
    this.#store.clear(0, this.#size);
  }

  extents(offset: number, length: number): Extent[] {
    return this.#store.extents(offset, length);
  }

  /** What lies beyond a smaller size is gone, and reads as zeroes should the disk grow again. */
  resize(bytes: number): void {
    checkSize(bytes, this.blockSize);
    if (bytes < this.#size) this.#store.clear(bytes, this.#size - bytes);
    this.#size = bytes;
  }

  /** What was written survives another configuration. */
  handOver(): Contents {
    const contents = new Contents(this.#store, this.#size);
    this.#store = new PageStore();
    return contents;
  }

  close(): void {
    this.#store.clear(0, this.#size);
  }
}

interface MemoryOptions extends GeometryOptions {
  /** Bytes of memory it may take. */
  limit?: number;
}

/** The handler without its schema. */
export const memoryDisks: DiskMaker<MemoryOptions> = {
  name: 'memory',
  open(config, request) {
    const { size: bytes, blockSize: block } = requiredGeometry(config, request);
    return new MemoryDisk(bytes, block, config.limit, request.inherited);
  },
};
