// HOT PATH: one call a command.
import { MAX_CDB } from './ring-command.js';

/** By the operation code's group, its top 3 bits (SPC-4 4.2.5.1). */
const byGroup = [6, 10, 10, 0, 16, 12, 0, 0] as const;
const VARIABLE_LENGTH = 0x7f;
const LONGEST_FIXED = 16;

/**
 * How many bytes a CDB has. The ring entry does not say: it pads the CDB to a multiple of 8. Of a vendor's
 * operation codes, which no standard gives a length, everything that is there is taken, 16 bytes at most.
 * @param at where the CDB begins
 * @param available bytes from there to the end of the entry
 */
export function cdbLengthAt(bytes: Uint8Array, at: number, available: number): number {
  const fixed = byGroup[bytes[at] >> 5];
  if (fixed !== 0) return Math.min(fixed, available);
  if (bytes[at] !== VARIABLE_LENGTH) return Math.min(LONGEST_FIXED, available);
  return available < 8 ? available : Math.min(bytes[at + 7] + 8, available, MAX_CDB);
}
