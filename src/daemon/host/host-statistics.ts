import type { DeviceStatisticsReport } from '../control/schema.js';

const counters = [
  'commands',
  'reads',
  'writes',
  'unmaps',
  'readBytes',
  'writtenBytes',
  'errors',
  'handlerErrors',
  'timeouts',
] as const;

function added(left: readonly number[], right: readonly number[]): number[] {
  return Array.from(
    { length: Math.max(left.length, right.length) },
    (_, i) => (left[i] ?? 0) + (right[i] ?? 0),
  );
}

/** A device's counters in hosts that have died, and those of the one that lives: as if it had been one. */
export function addStatistics(
  dead: DeviceStatisticsReport | undefined,
  living: DeviceStatisticsReport,
): DeviceStatisticsReport {
  if (!dead) return living;
  const sum = { ...living };
  for (const name of counters) sum[name] += dead[name];
  sum.senseKeys = added(dead.senseKeys, living.senseKeys);
  sum.latency = {
    samples: dead.latency.samples + living.latency.samples,
    total: dead.latency.total + living.latency.total,
    buckets: added(dead.latency.buckets, living.latency.buckets),
  };
  return sum;
}
