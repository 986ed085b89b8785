/** How many of the stalls, in milliseconds, lie between powers of two, and the longest. */
export function histogram(what: string, stalls: readonly number[]): string {
  const buckets = new Map<number, number>();
  for (const stall of stalls) {
    const bound = 2 ** Math.ceil(Math.log2(Math.max(1, stall)));
    buckets.set(bound, (buckets.get(bound) ?? 0) + 1);
  }
  const lines = [...buckets].sort(([a], [b]) => a - b).map(([bound, count]) => `  <= ${bound} ms: ${count}`);
  return [`${stalls.length} ${what}, longest stall ${Math.max(...stalls).toFixed(0)} ms`, ...lines].join(
    '\n',
  );
}
