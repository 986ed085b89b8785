import type { Extent } from './contract.js';

/** Append a run of bytes, as part of the last extent where that is in the same state. */
export function appendExtent(extents: Extent[], offset: number, length: number, hole: boolean): void {
  if (length <= 0) return;
  const last = extents.at(-1);
  if (last?.hole === hole) last.length += length;
  else extents.push({ offset, length, hole });
}
