import type { OpenRequest } from './contract.js';
import { formatSize } from './size-text.js';

/** What a disk without a block size of its own has, in bytes. */
export const DEFAULT_BLOCK_SIZE = 512;

/** A handler's options that have a say in its geometry, in bytes. */
export interface GeometryOptions {
  size?: number;
  block_size?: number;
}

export interface Geometry {
  /** Bytes; undefined where nobody said. */
  readonly size: number | undefined;
  /** Bytes. */
  readonly blockSize: number;
}

/**
 * The geometry asked for. The request's size wins over the option: it is what an administrator can change
 * while the disk lives, and what LIO believes. The option's block size wins, as it says what the data is.
 * @throws RangeError for a size that is no multiple of the block size
 */
export function requestedGeometry(options: GeometryOptions, request: OpenRequest): Geometry {
  const chosen = options.block_size ?? request.blockSize ?? DEFAULT_BLOCK_SIZE;
  const bytes = request.size ?? options.size;
  if (bytes !== undefined) checkSize(bytes, chosen);
  return { size: bytes, blockSize: chosen };
}

/** As requestedGeometry, for a disk that has no size but the one asked for. */
export function requiredGeometry(
  options: GeometryOptions,
  request: OpenRequest,
): Required<Geometry & { size: number }> {
  const { size: bytes, blockSize: chosen } = requestedGeometry(options, request);
  if (bytes === undefined) throw new RangeError('size is missing: add ?size=1G');
  return { size: bytes, blockSize: chosen };
}

/** @throws RangeError */
export function checkSize(bytes: number, block: number): void {
  if (!Number.isSafeInteger(bytes) || bytes <= 0 || bytes % block !== 0) {
    throw new RangeError(`size ${bytes} must be a positive multiple of the block size, ${formatSize(block)}`);
  }
}
