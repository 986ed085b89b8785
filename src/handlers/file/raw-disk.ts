import type { FileHandle } from 'node:fs/promises';
import type { Disk, Done } from '../contract.js';
import type { Transfer } from './transfer.js';

/** An open file or block device, and what the options made of it. */
export interface Image {
  readonly handle: FileHandle;
  readonly path: string;
  readonly transfer: Transfer;
  /** Bytes exposed. */
  readonly size: number;
  /** Bytes. */
  readonly blockSize: number;
  readonly readOnly: boolean;
}

/** Writes longer than this are made of several, in bytes. */
const ZEROES = new Uint8Array(2 ** 20);

/** Pages are what a file system and the page cache work with. Bytes. */
const PAGE = 4096;

/** True for an errno that says "not here", after which another way is taken. */
export function isUnsupported(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'EOPNOTSUPP' || code === 'ENOTSUP' || code === 'ENOSYS' || code === 'ENOTTY';
}

/** What a file and a block device have in common. */
export abstract class RawDisk implements Disk {
  readonly blockSize: number;
  readonly physicalBlockSize: number;
  readonly unmapGranularity: number;
  readonly readOnly: boolean;
  protected readonly image: Image;
  #size: number;

  constructor(image: Image) {
    this.image = image;
    this.#size = image.size;
    this.blockSize = image.blockSize;
    this.physicalBlockSize = Math.max(PAGE, image.blockSize);
    this.unmapGranularity = this.physicalBlockSize;
    this.readOnly = image.readOnly;
  }

  get size(): number {
    return this.#size;
  }

  protected get fd(): number {
    return this.image.handle.fd;
  }

  read(buffer: Uint8Array, offset: number): Done {
    return this.image.transfer.read(buffer, offset);
  }

  write(buffer: Uint8Array, offset: number): Done {
    return this.image.transfer.write(buffer, offset);
  }

  readv(buffers: readonly Uint8Array[], offset: number): Done {
    return this.image.transfer.read(buffers, offset);
  }

  writev(buffers: readonly Uint8Array[], offset: number): Done {
    return this.image.transfer.write(buffers, offset);
  }

  /** Not of the inode's times: fdatasync is enough to read the data back, a changed size included. */
  flush(): Promise<void> {
    return this.image.handle.datasync();
  }

  async resize(size: number): Promise<void> {
    await this.makeRoom(size);
    this.#size = size;
  }

  /** Refuse a size there is no room for. A smaller one only hides what lies beyond it. */
  protected abstract makeRoom(size: number): Promise<void>;

  close(): Promise<void> {
    return this.image.handle.close();
  }

  /** The way to zeroes where there is no shorter one. */
  protected async writeZeroBytes(offset: number, length: number): Promise<void> {
    for (let done = 0; done < length; done += ZEROES.length) {
      const count = Math.min(ZEROES.length, length - done);
      await this.image.transfer.write(ZEROES.subarray(0, count), offset + done);
    }
  }
}
