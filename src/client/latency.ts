import type { Latency } from '../daemon/control/schema.js';

/**
 * The latency that a part of the commands stays below.
 * @param part 0.5 is the median, 0.99 what one command in a hundred exceeds
 * @returns microseconds, interpolated in the bucket it falls into (a bucket spans a factor of two); undefined
 * where nothing was measured
 */
export function latencyPercentile({ samples, buckets }: Latency, part: number): number | undefined {
  if (samples === 0) return undefined;
  let left = samples * part;
  for (const [index, count] of buckets.entries()) {
    if (count > 0 && left <= count) {
      const low = index === 0 ? 0 : 2 ** (index - 1);
      return low + (2 ** index - low) * (left / count);
    }
    left -= count;
  }
  return undefined;
}

/** What was measured after `before` and up to `now`. */
export function latencyBetween(before: Latency, now: Latency): Latency {
  return {
    samples: now.samples - before.samples,
    total: now.total - before.total,
    buckets: now.buckets.map((count, index) => count - (before.buckets[index] ?? 0)),
  };
}
