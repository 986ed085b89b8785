import type { Disk, DiskMaker, Extent } from '../contract.js';
import { checkSize, requiredGeometry, type GeometryOptions } from '../geometry.js';

class NullDisk implements Disk {
  constructor(
    public size: number,
    readonly blockSize: number,
  ) {}

  read(buffer: Uint8Array): void {
    buffer.fill(0);
  }

  write(): void {
    // Nothing is kept.
  }

  unmap(): void {
    // Everything is a hole already.
  }

  writeZeroes(): void {
    // It reads as zeroes already.
  }

  extents(offset: number, length: number): Extent[] {
    return [{ offset, length, hole: true }];
  }

  resize(bytes: number): void {
    checkSize(bytes, this.blockSize);
    this.size = bytes;
  }
}

/** The handler without its schema. */
export const nullDisks: DiskMaker<GeometryOptions> = {
  name: 'null',
  open(config, request) {
    const { size: bytes, blockSize: block } = requiredGeometry(config, request);
    return new NullDisk(bytes, block);
  },
};
