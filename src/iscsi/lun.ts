// HOT PATH: decodeLun runs for every command.

/**
 * The number of a logical unit (SAM-5 4.7): peripheral device addressing of bus 0 and flat space addressing on
 * one level.
 * @param at where its 8 bytes begin
 * @returns 0 to 16383, or -1 for any other form
 */
export function decodeLun(bytes: Uint8Array, at: number): number {
  if ((bytes[at + 2] | bytes[at + 3] | bytes[at + 4] | bytes[at + 5] | bytes[at + 6] | bytes[at + 7]) !== 0)
    return -1;
  const method = bytes[at] >> 6;
  if (method === 0) return bytes[at] === 0 ? bytes[at + 1] : -1;
  return method === 1 ? ((bytes[at] & 0x3f) << 8) | bytes[at + 1] : -1;
}

/** @param lun 0 to 16383 */
export function encodeLun(lun: number, bytes: Uint8Array, at: number): void {
  bytes.fill(0, at, at + 8);
  bytes[at] = lun < 256 ? 0 : 0x40 | (lun >> 8);
  bytes[at + 1] = lun;
}
