import { readUint32, writeUint32 } from '../scsi/big-endian.js';
import { isFullFeatureKey, isKnownKey, negotiate, type TargetPreferences } from './negotiation.js';
import { FINAL, pduOpcode, rejectReason, RESERVED_TAG } from './pdu.js';
import type { Session } from './session.js';
import { encodeText, parseText, type TextPair } from './text-keys.js';

/** What SendTargets lists (RFC 7143 Appendix C). */
export interface DiscoveredTarget {
  readonly name: string;
  /** `host:port,tag` */
  readonly addresses: readonly string[];
}

/** Byte 1: the text goes on in the next PDU. */
const CONTINUE = 0x40;
/** Text of one request, over all its PDUs. */
const MAX_TEXT = 65536;

/** Text Requests (RFC 7143 11.10) of one session. */
export class TextRequests {
  readonly #preferences: TargetPreferences;
  readonly #discover: () => DiscoveredTarget[];
  #pieces: Buffer[] = [];
  #length = 0;
  /** Of the exchange that goes on. */
  #ttt = RESERVED_TAG;
  #rest: Buffer | undefined;

  /** @param discover all targets there are, as this connection reaches them */
  constructor(preferences: TargetPreferences, discover: () => DiscoveredTarget[]) {
    this.#preferences = preferences;
    this.#discover = discover;
  }

  handle(session: Session, bytes: Buffer, at: number, data: Buffer): void {
    const flags = bytes[at + 1];
    const ttt = readUint32(bytes, at + 20);
    const final = (flags & FINAL) !== 0;
    const continues = (flags & CONTINUE) !== 0;
    if (ttt === RESERVED_TAG) this.#reset();
    else if (ttt !== this.#ttt) return this.#refuse(session, rejectReason.protocolError, bytes, at);
    if (final && continues) return this.#refuse(session, rejectReason.protocolError, bytes, at);
    const itt = readUint32(bytes, at + 16);
    if (this.#rest && ttt !== RESERVED_TAG) return this.#sendRest(session, itt, final);
    this.#pieces.push(data);
    this.#length += data.length;
    if (this.#length > MAX_TEXT) return this.#refuse(session, rejectReason.protocolError, bytes, at);
    if (continues) return this.#send(session, itt, 0, Buffer.alloc(0));
    let answer: TextPair[] | undefined;
    try {
      answer = this.#answer(session, parseText(Buffer.concat(this.#pieces)));
    } catch {
      return this.#refuse(session, rejectReason.protocolError, bytes, at);
    }
    if (!answer) return this.#refuse(session, rejectReason.invalidPduField, bytes, at);
    this.#pieces = [];
    this.#length = 0;
    this.#rest = encodeText(answer);
    this.#sendRest(session, itt, final);
  }

  #reset(): void {
    this.#pieces = [];
    this.#length = 0;
    this.#ttt = RESERVED_TAG;
    this.#rest = undefined;
  }

  #refuse(session: Session, reason: number, bytes: Buffer, at: number): void {
    this.#reset();
    session.writer.reject(reason, bytes, at);
  }

  /** @returns undefined where SendTargets asks for what there is not */
  #answer(session: Session, pairs: readonly TextPair[]): TextPair[] | undefined {
    const answer: TextPair[] = [];
    const { parameters, target } = session.terms;
    for (const pair of pairs) {
      const [key, value] = pair;
      if (key === 'SendTargets') {
        const listed = this.#sendTargets(target?.name, value);
        if (!listed) return undefined;
        answer.push(...listed);
      } else if (isFullFeatureKey(key)) {
        const reply = negotiate(pair, parameters, this.#preferences, target === undefined);
        if (reply) answer.push(reply);
      } else {
        answer.push([key, isKnownKey(key) ? 'Reject' : 'NotUnderstood']);
      }
    }
    return answer;
  }

  /**
   * In a normal session only its own target is told of; `All` is tolerated there, because initiators ask it.
   * @param own the session's target
   */
  #sendTargets(own: string | undefined, value: string): TextPair[] | undefined {
    const wanted = value.toLowerCase();
    let targets = this.#discover();
    if (own !== undefined) targets = targets.filter(({ name }) => name === own);
    if (value === '' ? own === undefined : value !== 'All') {
      targets = targets.filter(({ name }) => name === wanted && value !== '');
      if (targets.length === 0) return undefined;
    }
    return targets.flatMap(({ name, addresses }) => [
      ['TargetName', name] as const,
      ...addresses.map((address) => ['TargetAddress', address] as const),
    ]);
  }

  /** As much of the answer as the initiator takes; it asks for the next part with the tag it was given. */
  #sendRest(session: Session, itt: number, final: boolean): void {
    const rest = this.#rest ?? Buffer.alloc(0);
    const limit = session.terms.parameters.maxSendDataSegmentLength;
    if (rest.length > limit) {
      this.#rest = rest.subarray(limit);
      return this.#send(session, itt, CONTINUE, rest.subarray(0, limit));
    }
    this.#rest = undefined;
    this.#send(session, itt, final ? FINAL : 0, rest);
  }

  #send(session: Session, itt: number, flags: number, text: Buffer): void {
    this.#ttt = (flags & FINAL) !== 0 ? RESERVED_TAG : session.nextTag();
    const pdu = session.writer.response(pduOpcode.textResponse, flags, itt);
    writeUint32(pdu, 20, this.#ttt);
    session.writer.send(pdu, text);
  }
}
