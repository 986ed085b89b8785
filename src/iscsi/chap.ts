import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { encodeBinary, parseBinary, parseNumber, type TextPair } from './text-keys.js';

/*
 * CHAP (RFC 1994) as iSCSI uses it (RFC 7143 12.1.3): CHAP_A, then CHAP_I and CHAP_C, then CHAP_N and CHAP_R, and
 * the same the other way round where the initiator asks for it.
 */

export interface ChapCredentials {
  readonly user: string;
  readonly password: string;
  /** What the target proves itself with where the initiator asks. */
  readonly mutualUser?: string;
  readonly mutualPassword?: string;
}

/** CHAP_A values (IANA "PPP Authentication Algorithms"), the initiator's order decides. */
const algorithms: ReadonlyMap<number, string> = new Map([
  [5, 'md5'],
  [6, 'sha1'],
  [7, 'sha256'],
  [8, 'sha3-256'],
]);

/** CHAP_C and CHAP_R are at most this long (RFC 7143 12.1.3). */
const MAX_BINARY = 1024;

/** The initiator did not prove who it is, or broke the exchange's rules. */
export class ChapError extends Error {
  override readonly name = 'ChapError';
}

/** One line of a hash over identifier, secret and challenge (RFC 1994 4.1). */
export function chapResponse(
  algorithm: string,
  identifier: number,
  secret: string,
  challenge: Uint8Array,
): Buffer {
  return createHash(algorithm).update(Uint8Array.of(identifier)).update(secret).update(challenge).digest();
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}

/** Names are compared as hashes, so that neither content nor length shows in the time it takes. */
function sameText(a: string, b: string): boolean {
  const hash = (text: string): Buffer => createHash('sha256').update(text).digest();
  return timingSafeEqual(hash(a), hash(b));
}

/** The target's side of one CHAP exchange. */
export class ChapExchange {
  #state: 'algorithm' | 'response' | 'done' = 'algorithm';
  #algorithm = '';
  readonly #identifier: number;
  readonly #challenge: Buffer;
  readonly #credentials: ChapCredentials;

  /** @param random for tests: bytes of the identifier and the challenge */
  constructor(credentials: ChapCredentials, random: (length: number) => Buffer = randomBytes) {
    this.#credentials = credentials;
    this.#identifier = random(1)[0];
    this.#challenge = random(32);
  }

  get authenticated(): boolean {
    return this.#state === 'done';
  }

  /**
   * One step: the initiator's CHAP keys of one login request.
   * @returns the keys of the answer
   * @throws ChapError
   */
  step(keys: ReadonlyMap<string, string>): TextPair[] {
    if (this.#state === 'algorithm') return this.#choose(keys.get('CHAP_A'));
    if (this.#state === 'response') return this.#verify(keys);
    throw new ChapError('CHAP keys after the exchange was over');
  }

  #choose(offer: string | undefined): TextPair[] {
    if (offer === undefined) return [];
    const chosen = offer.split(',').find((name) => algorithms.has(parseNumber(name) ?? -1));
    if (chosen === undefined) throw new ChapError(`none of the algorithms ${offer} is supported`);
    const number = parseNumber(chosen)!;
    this.#algorithm = algorithms.get(number)!;
    this.#state = 'response';
    return [
      ['CHAP_A', String(number)],
      ['CHAP_I', String(this.#identifier)],
      ['CHAP_C', encodeBinary(this.#challenge)],
    ];
  }

  #verify(keys: ReadonlyMap<string, string>): TextPair[] {
    const name = keys.get('CHAP_N');
    const response = parseBinary(keys.get('CHAP_R') ?? '', MAX_BINARY);
    if (name === undefined || response === undefined) throw new ChapError('CHAP_N or CHAP_R is missing');
    const { user, password } = this.#credentials;
    const expected = chapResponse(this.#algorithm, this.#identifier, password, this.#challenge);
    // Both are looked at in any case: which of them was wrong must not show.
    const nameIsRight = sameText(name, user);
    const responseIsRight = sameBytes(response, expected);
    if (!nameIsRight || !responseIsRight) throw new ChapError('wrong user or password');
    const answer = this.#prove(keys.get('CHAP_I'), keys.get('CHAP_C'));
    this.#state = 'done';
    return answer;
  }

  /** Mutual CHAP: answer the initiator's own challenge. */
  #prove(identifierText: string | undefined, challengeText: string | undefined): TextPair[] {
    if (identifierText === undefined && challengeText === undefined) return [];
    const identifier = parseNumber(identifierText ?? '');
    const challenge = parseBinary(challengeText ?? '', MAX_BINARY);
    if (identifier === undefined || identifier > 255 || challenge === undefined) {
      throw new ChapError('CHAP_I or CHAP_C is missing or malformed');
    }
    const { mutualUser, mutualPassword } = this.#credentials;
    if (mutualUser === undefined || mutualPassword === undefined) {
      throw new ChapError('the initiator asks for mutual CHAP, which is not configured');
    }
    // Reflection (RFC 7143 9.2.1): our own challenge sent back would have us compute the answer to it.
    if (sameBytes(challenge, this.#challenge)) throw new ChapError('the challenge was reflected');
    const response = chapResponse(this.#algorithm, identifier, mutualPassword, challenge);
    return [
      ['CHAP_N', mutualUser],
      ['CHAP_R', encodeBinary(response)],
    ];
  }
}
