import type { Disk } from '../handlers/contract.js';
import { describeFailure } from '../scsi/errno.js';
import { endsWithin } from './patience.js';

/** Opens a disk. @param inherited what the disk before it handed over, if it did */
export type DiskOpener = (inherited?: unknown) => Disk | Promise<Disk>;

/**
 * How long a handler may take to check a configuration, and then to open its disk, in milliseconds. Shorter than the
 * 25 s that D-Bus callers wait: targetcli should get the reason, not a time-out of its own.
 */
export const OPEN_TIMEOUT = 20_000;

/** What has not ended in time. */
export function notInTime(what: string, milliseconds: number): Error {
  return Object.assign(new Error(`${what} after ${milliseconds / 1000} s`), { code: 'ETIMEDOUT' });
}

/** What is logged of a disk that came too late. @param error why it could not be opened or closed then, if so */
export function lateMessage(name: string, error?: unknown): string {
  if (error === undefined) return `${name}: the disk that took too long to open has come, and was closed`;
  return `${name}: the disk that took too long to open has failed: ${describeFailure(error)}`;
}

/** Close a disk that nobody waits for any more. What it took over, it gives back. */
async function dismiss(disk: Disk): Promise<void> {
  await disk.handOver?.();
  await disk.close?.();
}

/**
 * @param onLate told when the disk came too late, and was closed; with the error where it could not be
 * @throws Error (ETIMEDOUT) where it is not open in time; a disk that comes later is closed
 */
export async function openWithin(
  milliseconds: number,
  open: DiskOpener,
  inherited?: unknown,
  onLate: (error?: unknown) => void = () => undefined,
): Promise<Disk> {
  const opening = Promise.resolve(open(inherited));
  if (await endsWithin(milliseconds, opening)) return opening;
  void opening.then(dismiss).then(() => onLate(), onLate);
  throw notInTime('the disk was not open', milliseconds);
}
