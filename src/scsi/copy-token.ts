import { readUint16, readUint32, writeUint16, writeUint32, writeUint64 } from './big-endian.js';
import { tokenLimits } from './copy-limits.js';
import { additionalSense, senseKey, SenseError } from './sense.js';
import type { Unit } from './unit.js';

/** Bytes of a ROD token in the token commands (SBC-3 4.28). */
export const TOKEN_LENGTH = 512;

/** ROD types (SPC-4 table 112). */
export const rodType = {
  /** The copy manager chooses among the point in time copies. */
  pointInTimeDefault: 0x0080_0000,
  /** A write to what it stands for ends it: what the tokens made here are. */
  pointInTimeChangeVulnerable: 0x0080_0001,
  pointInTimeAny: 0x0080_ffff,
  /** Stands for zeroes, any number of them; made by initiators themselves. */
  blockDeviceZero: 0xffff_0001,
} as const;

/** A part of a disk, in bytes. */
export interface ByteExtent {
  readonly offset: number;
  readonly length: number;
}

/** ROD TOKEN LENGTH: the bytes after the field. */
const LENGTH_FIELD = TOKEN_LENGTH - 8;

/** Where the unguessable part of a token is: in its extended data. */
const SECRET_AT = 256;
const SECRET_LENGTH = 32;

/** What a ROD token stands for: blocks of one logical unit as they were when it was made. */
export class RodToken {
  /** Bytes it stands for. */
  readonly length: number;
  /** When it expires, in milliseconds of the manager's clock. */
  expires = 0;
  /** A write changed what it stands for. */
  revoked = false;
  deleted = false;

  /**
   * @param extents in the order of the data
   * @param timeout inactivity time-out in milliseconds
   */
  constructor(
    readonly unit: Unit,
    readonly extents: readonly ByteExtent[],
    readonly timeout: number,
    readonly bytes: Uint8Array,
  ) {
    this.length = extents.reduce((sum, { length }) => sum + length, 0);
  }

  /** Whether it stands for any byte from `start` to before `end`. */
  overlaps(start: number, end: number): boolean {
    return this.extents.some(({ offset, length }) => offset < end && start < offset + length);
  }

  /** @throws SenseError where it can no longer be used */
  check(): void {
    if (this.deleted) throw invalidToken(additionalSense.tokenDeleted, 'the ROD token was deleted');
    if (this.revoked)
      throw invalidToken(additionalSense.tokenRevoked, 'what the ROD token stands for was changed');
  }
}

export function invalidToken(code: number, message: string): SenseError {
  return new SenseError(senseKey.illegalRequest, code, message);
}

function identifierOf(bytes: Uint8Array): string {
  return bytes.subarray(8, 16).join();
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  let difference = 0;
  for (let at = 0; at < TOKEN_LENGTH; at++) difference |= a[at] ^ b[at];
  return difference === 0;
}

/** Whether it is the block device zero ROD token, which no copy manager makes (SBC-3 4.28.4). */
export function isZeroToken(bytes: Uint8Array): boolean {
  return readUint32(bytes, 0) === rodType.blockDeviceZero;
}

/** The tokens of one copy manager. Bounded: the oldest makes room. */
export class RodTokens {
  readonly #tokens = new Map<string, RodToken>();
  readonly #now: () => number;
  readonly #random: (bytes: Uint8Array) => unknown;
  #made = 0;

  /**
   * @param now milliseconds of any clock that goes on
   * @param random fills its argument
   */
  constructor(now: () => number, random: (bytes: Uint8Array) => unknown) {
    this.#now = now;
    this.#random = random;
  }

  /**
   * @param extents in the order of the data
   * @param seconds inactivity time-out
   * @param creator the unit's identification descriptor (SPC-4 6.4.5.2), 32 bytes
   */
  create(unit: Unit, extents: readonly ByteExtent[], seconds: number, creator: Uint8Array): RodToken {
    const bytes = new Uint8Array(TOKEN_LENGTH);
    const token = new RodToken(unit, extents, seconds * 1000, bytes);
    writeUint32(bytes, 0, rodType.pointInTimeChangeVulnerable);
    writeUint16(bytes, 6, LENGTH_FIELD);
    writeUint64(bytes, 8, ++this.#made);
    bytes.set(creator, 16);
    writeUint64(bytes, 56, token.length);
    // Device type specific data of a block device: the block length, so that others can count in blocks.
    writeUint32(bytes, 96, unit.blockSize);
    const secret = new Uint8Array(SECRET_LENGTH);
    this.#random(secret);
    bytes.set(secret, SECRET_AT);
    this.touch(token);
    this.#makeRoom();
    this.#tokens.set(identifierOf(bytes), token);
    return token;
  }

  /**
   * The token of a WRITE USING TOKEN.
   * @param bytes 512 of them
   * @throws SenseError where it is none, or none any more
   */
  find(bytes: Uint8Array): RodToken {
    checkTokenLength(bytes);
    const token = this.#tokens.get(identifierOf(bytes));
    if (!token || !sameBytes(token.bytes, bytes)) {
      throw invalidToken(additionalSense.tokenUnknown, 'no such ROD token');
    }
    token.check();
    if (this.expired(token)) throw invalidToken(additionalSense.tokenExpired, 'the ROD token has expired');
    return token;
  }

  expired(token: RodToken): boolean {
    return this.#now() >= token.expires;
  }

  /** It was used: its inactivity time-out begins again. */
  touch(token: RodToken): void {
    token.expires = this.#now() + token.timeout;
  }

  /** Forget the tokens of a unit that is gone. */
  drop(unit: Unit): void {
    for (const [identifier, token] of this.#tokens) {
      if (token.unit !== unit) continue;
      token.revoked = true;
      this.#tokens.delete(identifier);
    }
  }

  #makeRoom(): void {
    if (this.#tokens.size < tokenLimits.remembered) return;
    let oldest: string | undefined;
    for (const [identifier, token] of this.#tokens) {
      oldest ??= identifier;
      if (!token.revoked && !token.deleted && !this.expired(token)) continue;
      oldest = identifier;
      break;
    }
    this.#tokens.get(oldest!)!.deleted = true;
    this.#tokens.delete(oldest!);
  }
}

/** @throws SenseError INVALID TOKEN LENGTH (SBC-3 5.48.2) */
export function checkTokenLength(bytes: Uint8Array): void {
  if (readUint16(bytes, 6) === LENGTH_FIELD) return;
  throw invalidToken(additionalSense.invalidTokenLength, 'the ROD token has a length that none has');
}

/** The token that stands for zeroes, as an initiator makes it. */
export function zeroToken(): Uint8Array {
  const bytes = new Uint8Array(TOKEN_LENGTH);
  writeUint32(bytes, 0, rodType.blockDeviceZero);
  writeUint16(bytes, 6, LENGTH_FIELD);
  return bytes;
}
