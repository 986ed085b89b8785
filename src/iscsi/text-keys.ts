/*
 * Text of Login and Text PDUs (RFC 7143 6.1): `key=value` pairs, each ended by a zero byte.
 */

/** Bytes of a key's name (RFC 7143 6.1). */
const MAX_KEY_LENGTH = 63;

/** Bytes of a value; only CHAP's binary ones come near it. */
const MAX_VALUE_LENGTH = 8192;

/** Pairs in one negotiation step; a real login has about twenty. */
const MAX_PAIRS = 256;

/** The initiator's text is none. */
export class TextError extends Error {
  override readonly name = 'TextError';
}

export type TextPair = readonly [key: string, value: string];

/**
 * @returns the pairs in order; a key may come twice
 * @throws TextError
 */
export function parseText(data: Uint8Array): TextPair[] {
  const pairs: TextPair[] = [];
  let start = 0;
  while (start < data.length) {
    let end = data.indexOf(0, start);
    // Tolerated from initiators that count the last pair's zero byte as padding.
    if (end < 0) end = data.length;
    // Empty strings are padding of some initiators.
    if (end > start) pairs.push(parsePair(data.subarray(start, end)));
    if (pairs.length > MAX_PAIRS) throw new TextError(`more than ${MAX_PAIRS} keys`);
    start = end + 1;
  }
  return pairs;
}

function parsePair(bytes: Uint8Array): TextPair {
  const equals = bytes.indexOf(0x3d);
  if (equals <= 0) throw new TextError('a key without "="');
  if (equals > MAX_KEY_LENGTH) throw new TextError(`a key of ${equals} bytes`);
  if (bytes.length - equals - 1 > MAX_VALUE_LENGTH) throw new TextError('a value that is too long');
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  return [text.toString('latin1', 0, equals), text.toString('utf8', equals + 1)];
}

export function encodeText(pairs: readonly TextPair[]): Buffer {
  return Buffer.from(pairs.map(([key, value]) => `${key}=${value}\0`).join(''), 'utf8');
}

/**
 * A numerical value: decimal or `0x` hexadecimal.
 * @returns undefined where it is neither, or past 2^32 - 1
 */
export function parseNumber(value: string): number | undefined {
  if (!/^(?:0|[1-9][0-9]{0,9}|0[xX][0-9a-fA-F]{1,8})$/.test(value)) return undefined;
  const number = Number(value);
  return number <= 0xffffffff ? number : undefined;
}

export function parseBoolean(value: string): boolean | undefined {
  if (value === 'Yes') return true;
  return value === 'No' ? false : undefined;
}

/**
 * A binary value (RFC 7143 6.1): `0x` and hexadecimal digits, or `0b` and base64.
 * @param maxLength bytes
 * @returns undefined where it is neither, or longer
 */
export function parseBinary(value: string, maxLength: number): Buffer | undefined {
  const prefix = value.slice(0, 2).toLowerCase();
  const digits = value.slice(2);
  if (prefix === '0x' && /^[0-9a-fA-F]+$/.test(digits) && digits.length <= maxLength * 2) {
    return Buffer.from(digits.length % 2 === 0 ? digits : `0${digits}`, 'hex');
  }
  if (prefix === '0b' && /^[A-Za-z0-9+/]+={0,2}$/.test(digits) && digits.length % 4 === 0) {
    const bytes = Buffer.from(digits, 'base64');
    return bytes.length <= maxLength ? bytes : undefined;
  }
  return undefined;
}

export function encodeBinary(bytes: Uint8Array): string {
  return `0x${Buffer.from(bytes).toString('hex')}`;
}
