// HOT PATH: runs over every byte of a connection with digests.
import { crc32c as nativeCrc32c } from '@node-rs/crc32';

const POLYNOMIAL = 0x82f63b78;

/** Bytes from which the call into native code costs less than it saves. */
const NATIVE_FROM = 256;

/** Slicing-by-8: table k is the CRC of a byte that is followed by k zero bytes. */
function makeTables(): Uint32Array[] {
  const tables = Array.from({ length: 8 }, () => new Uint32Array(256));
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1;
    tables[0][byte] = crc;
  }
  for (let k = 1; k < 8; k++) {
    for (let byte = 0; byte < 256; byte++) {
      const before = tables[k - 1][byte];
      tables[k][byte] = (before >>> 8) ^ tables[0][before & 0xff];
    }
  }
  return tables;
}

const [t0, t1, t2, t3, t4, t5, t6, t7] = makeTables();

/**
 * CRC32C (RFC 7143 13.1, RFC 3385), as iSCSI digests use it.
 * @param start first byte
 * @param end one past the last byte
 * @returns an unsigned number; it travels least significant byte first
 */
export function crc32c(bytes: Uint8Array, start = 0, end = bytes.length): number {
  if (end - start >= NATIVE_FROM) {
    return nativeCrc32c(Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start));
  }
  let crc = 0xffffffff;
  let at = start;
  for (const last = end - 8; at <= last; at += 8) {
    crc ^= bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24);
    crc =
      t7[crc & 0xff] ^
      t6[(crc >>> 8) & 0xff] ^
      t5[(crc >>> 16) & 0xff] ^
      t4[crc >>> 24] ^
      t3[bytes[at + 4]] ^
      t2[bytes[at + 5]] ^
      t1[bytes[at + 6]] ^
      t0[bytes[at + 7]];
  }
  for (; at < end; at++) crc = t0[(crc ^ bytes[at]) & 0xff] ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}

/** Write the digest of `bytes[start, end)` behind it. */
export function appendDigest(bytes: Uint8Array, start: number, end: number): void {
  const crc = crc32c(bytes, start, end);
  bytes[end] = crc;
  bytes[end + 1] = crc >>> 8;
  bytes[end + 2] = crc >>> 16;
  bytes[end + 3] = crc >>> 24;
}

/** Whether the four bytes behind `bytes[start, end)` are its digest. */
export function digestMatches(bytes: Uint8Array, start: number, end: number): boolean {
  const crc = crc32c(bytes, start, end);
  const found = bytes[end] | (bytes[end + 1] << 8) | (bytes[end + 2] << 16) | (bytes[end + 3] << 24);
  return found >>> 0 === crc;
}
