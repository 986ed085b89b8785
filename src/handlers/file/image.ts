// Not from node:fs/promises, which would be loaded in each thread, also of those that serve no files.
import { constants, promises, type Stats } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { native } from '../../native/addon.js';
import type { HandlerLog } from '../contract.js';
import type { Geometry } from '../geometry.js';
import { formatSize } from '../size-text.js';
import type { Image } from './raw-disk.js';
import { CachedTransfer } from './cached-transfer.js';
import { residenceOf } from './residence.js';
import { AsyncTransfer, DirectTransfer, SyncTransfer, type Transfer } from './transfer.js';

export interface FileOptions {
  /** Absolute. */
  path: string;
  create: boolean;
  size?: number;
  readonly: boolean;
  direct: boolean;
  io: 'auto' | 'async' | 'sync';
}

const reasons: Record<string, string> = {
  EACCES: 'permission denied: the daemon must be able to read it, and to write it unless readonly=1',
  EROFS: 'its file system is read-only: add readonly=1',
  ENOTDIR: 'a part of the path is not a directory',
  ELOOP: 'it is a loop of symbolic links',
  EBUSY: 'the block device is in use on this host: unmount it, or add readonly=1',
};

/** An errno error as an administrator reads it. */
function explain(path: string, error: unknown): Error {
  const { code, message } = error as NodeJS.ErrnoException;
  const reason = reasons[code ?? ''] ?? message;
  return Object.assign(new Error(`${path}: ${reason}`, { cause: error }), { code });
}

async function mayCreate(path: string): Promise<void> {
  const directory = dirname(path);
  try {
    await promises.access(directory, constants.W_OK | constants.X_OK);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw code === 'ENOENT'
      ? new Error(`${path} cannot be created: there is no directory ${directory}`, { cause: error })
      : explain(path, error);
  }
}

function needsSize(path: string, present: number, asked: number): Error {
  return new Error(
    `${path} has ${formatSize(present)}, ${formatSize(asked)} are asked for: add create=1 to let it grow, ` +
      `or run truncate -s ${asked} ${path}`,
  );
}

/**
 * Look at the path without opening or changing anything.
 * @returns undefined where there is no file and one may be created
 * @throws an Error that says what is in the way
 */
export async function inspect({
  path,
  create,
  size,
  readonly,
  direct,
  io,
}: FileOptions): Promise<Stats | undefined> {
  if (direct && io === 'sync')
    throw new Error('direct=1 and io=sync exclude each other: a device would be waited for');
  if (create && readonly) throw new Error('create=1 and readonly=1 exclude each other');
  let found: Stats;
  try {
    found = await promises.stat(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw explain(path, error);
    if (!create) {
      throw new Error(`there is no file ${path}: add create=1, or run truncate -s 1G ${path}`, {
        cause: error,
      });
    }
    await mayCreate(path);
    return undefined;
  }
  if (found.isDirectory()) throw new Error(`${path} is a directory, not a file or block device`);
  if (!found.isFile() && !found.isBlockDevice())
    throw new Error(`${path} is neither a file nor a block device`);
  try {
    await promises.access(path, constants.R_OK | (readonly ? 0 : constants.W_OK));
  } catch (error) {
    throw explain(path, error);
  }
  if (found.isFile() && !create && size !== undefined && size > found.size) {
    throw needsSize(path, found.size, size);
  }
  return found;
}

function openFlags({ readonly, direct }: FileOptions, found: Stats | undefined): number {
  let flags = readonly ? constants.O_RDONLY : constants.O_RDWR;
  if (direct) flags |= constants.O_DIRECT;
  if (!found) flags |= constants.O_CREAT | constants.O_EXCL;
  // On a block device without O_CREAT: refuse one that is mounted or part of another device.
  else if (found.isBlockDevice() && !readonly) flags |= constants.O_EXCL;
  return flags;
}

async function openPath(options: FileOptions, found: Stats | undefined): Promise<FileHandle> {
  try {
    return await promises.open(options.path, openFlags(options, found), 0o600);
  } catch (error) {
    if (options.direct && (error as NodeJS.ErrnoException).code === 'EINVAL') {
      throw new Error(`${options.path}: its file system has no direct I/O: leave out direct=1`, {
        cause: error,
      });
    }
    throw explain(options.path, error);
  }
}

/** The size to expose, in bytes, after the file has grown to it where that was asked for. */
async function settleSize(
  handle: FileHandle,
  { path, create }: FileOptions,
  { size: asked, blockSize }: Geometry,
  found: Stats | undefined,
): Promise<number> {
  if (found?.isBlockDevice()) {
    const present = native().blockDeviceSize(handle.fd);
    if (asked !== undefined && asked > present) {
      throw new Error(`${path} has ${formatSize(present)}, ${formatSize(asked)} are asked for`);
    }
    return asked ?? present - (present % blockSize);
  }
  const present = found?.size ?? 0;
  if (asked !== undefined) {
    if (asked > present) {
      if (!create) throw needsSize(path, present, asked);
      await handle.truncate(asked);
    }
    return asked;
  }
  const whole = present - (present % blockSize);
  if (whole === 0) throw new Error(`${path} is empty: add ?create=1&size=1G, or run truncate -s 1G ${path}`);
  return whole;
}

/** O_DIRECT works in the device's blocks, which may be longer than the disk's. */
async function probeDirect(transfer: Transfer, path: string, blockSize: number): Promise<void> {
  try {
    await transfer.read(new Uint8Array(blockSize), 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EINVAL') throw error;
    throw new Error(`${path}: direct I/O in blocks of ${blockSize} bytes is refused: try block_size=4096`, {
      cause: error,
    });
  }
}

function chooseTransfer({ path, direct, io }: FileOptions, fd: number): Transfer {
  const residence = direct ? 'unknown' : residenceOf(path);
  if (io === 'sync' || (io === 'auto' && residence === 'memory')) return new SyncTransfer(fd, path);
  const transfer = new AsyncTransfer(fd, path);
  if (direct) return new DirectTransfer(transfer);
  // Elsewhere nothing tells what the page cache has.
  const asksCache = io === 'auto' && process.platform === 'linux';
  return asksCache ? new CachedTransfer(fd, path, transfer, residence === 'local') : transfer;
}

/**
 * Open, and where asked for create or grow.
 * @throws an Error that says what is in the way; a file it created is gone again
 */
export async function openImage(
  options: FileOptions,
  geometry: Geometry,
  log: HandlerLog,
): Promise<Image & { isBlockDevice: boolean }> {
  const { path, readonly } = options;
  const found = await inspect(options);
  if (!found && geometry.size === undefined) {
    throw new RangeError(`${path} cannot be created without a size: add ?create=1&size=1G`);
  }
  const handle = await openPath(options, found);
  try {
    const size = await settleSize(handle, options, geometry, found);
    if (found?.isFile() && size < found.size) {
      log.info(`${path}: of ${found.size} bytes the first ${size} are exposed`);
    }
    const { blockSize } = geometry;
    const transfer = chooseTransfer(options, handle.fd);
    if (options.direct) await probeDirect(transfer, path, blockSize);
    return {
      handle,
      path,
      transfer,
      size,
      blockSize,
      readOnly: readonly,
      isBlockDevice: found?.isBlockDevice() ?? false,
    };
  } catch (error) {
    await handle.close();
    if (!found) await promises.unlink(path);
    throw error;
  }
}
