import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Poll until `probe` gives something other than undefined or false.
 * @param what for the error: "waited 10 s for WHAT"
 * @param timeout milliseconds
 */
export async function until<T>(
  what: string,
  probe: () => T | Promise<T>,
  timeout = 60_000,
): Promise<Exclude<T, undefined | false>> {
  const end = Date.now() + timeout;
  for (;;) {
    const value = await probe();
    if (value !== undefined && value !== false) return value as Exclude<T, undefined | false>;
    if (Date.now() > end) throw new Error(`waited ${timeout / 1000} s for ${what}`);
    await sleep(50);
  }
}
