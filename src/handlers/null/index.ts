import * as z from 'zod';
import { defineHandler, type Disk, type Extent } from '../contract.js';
import { blockSize, checkSize, requiredGeometry } from '../geometry.js';
import { size } from '../options.js';

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

export const nullHandler = defineHandler({
  name: 'null',
  description: 'A disk that reads as zeroes and forgets what is written: for measuring everything else',
  config: z.object({
    size: size().optional().describe('capacity, where the request has none').meta({ example: '1G' }),
    block_size: blockSize().optional().describe('logical block length; default 512'),
  }),
  open(config, request) {
    const { size: bytes, blockSize: block } = requiredGeometry(config, request);
    return new NullDisk(bytes, block);
  },
});
