import { ChapError, ChapExchange, type ChapCredentials } from './chap.js';
import {
  defaultParameters,
  negotiate,
  NegotiationError,
  type OperationalParameters,
  type TargetPreferences,
} from './negotiation.js';
import { encodeText, parseText, TextError, type TextPair } from './text-keys.js';

/*
 * The login phase (RFC 7143 6.3, 11.12, 11.13) as a machine without a socket: requests in, responses out.
 */

/** CSG and NSG. */
export const loginStage = { security: 0, operational: 1, fullFeature: 3 } as const;

/** Status-Class and Status-Detail of a Login Response as one number (RFC 7143 11.13.5). */
export const loginStatus = {
  success: 0x0000,
  initiatorError: 0x0200,
  authenticationFailed: 0x0201,
  targetNotFound: 0x0203,
  targetRemoved: 0x0204,
  unsupportedVersion: 0x0205,
  tooManyConnections: 0x0206,
  missingParameter: 0x0207,
  sessionTypeNotSupported: 0x0209,
  sessionDoesNotExist: 0x020a,
  invalidDuringLogin: 0x020b,
  serviceUnavailable: 0x0301,
  outOfResources: 0x0302,
} as const;

/** A Login Request's fields. */
export interface LoginRequest {
  readonly transit: boolean;
  /** The text goes on in the next request. */
  readonly continues: boolean;
  readonly currentStage: number;
  readonly nextStage: number;
  readonly versionMin: number;
  /** 6 bytes. */
  readonly isid: Uint8Array;
  readonly tsih: number;
  readonly cid: number;
  readonly text: Uint8Array;
}

/** Who logged in, to what, under which terms. */
export interface LoginOutcome {
  readonly initiatorName: string;
  /** Undefined in a discovery session. */
  readonly targetName: string | undefined;
  readonly isid: Uint8Array;
  /** Of the session the initiator wants to join; 0 for a new one. */
  readonly tsih: number;
  readonly cid: number;
  readonly parameters: OperationalParameters;
}

export interface LoginAnswer {
  /** One of `loginStatus`. */
  readonly status: number;
  readonly transit: boolean;
  readonly currentStage: number;
  readonly nextStage: number;
  readonly text: Uint8Array;
  /** Why a login failed, for the log. */
  readonly reason?: string;
  /** Set with the response that ends the login. */
  readonly outcome?: LoginOutcome;
}

/** What the target is, as far as a login asks. */
export interface LoginEnvironment {
  readonly portalGroupTag: number;
  readonly preferences: TargetPreferences;
  /** Without it AuthMethod=None is all there is. */
  readonly credentials?: ChapCredentials;
  /** Whether a discovery session must authenticate as well. */
  readonly authenticateDiscovery: boolean;
  hasTarget(name: string): boolean;
  /** TargetAlias. */
  alias(name: string): string | undefined;
}

/** Text of one negotiation step, over all its requests. */
const MAX_TEXT = 65536;
/** Requests in one login: a real one has at most about six. */
const MAX_REQUESTS = 32;
/** What an initiator takes in one data segment before it declared more (RFC 7143 13.12). */
const MAX_ANSWER = 8192;
/** RFC 7143 4.2.7.1. */
const MAX_NAME = 223;

class LoginFailure extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

/** One login. */
export class LoginNegotiator {
  readonly #environment: LoginEnvironment;
  readonly #parameters = defaultParameters();
  readonly #seen = new Set<string>();
  #requests = 0;
  #pieces: Uint8Array[] = [];
  #stage: number | undefined;
  #initiatorName = '';
  #targetName: string | undefined;
  #discovery = false;
  #isid = new Uint8Array(6);
  #chap: ChapExchange | undefined;
  #declared = false;
  #ended = false;

  constructor(environment: LoginEnvironment) {
    this.#environment = environment;
  }

  /** The initiator's name, once it was said. */
  get initiatorName(): string {
    return this.#initiatorName;
  }

  /** Answer one request. Never throws; after an answer with an outcome or a failure there is no other. */
  step(request: LoginRequest): LoginAnswer {
    const { currentStage } = request;
    try {
      return this.#step(request);
    } catch (error) {
      this.#ended = true;
      let status: number = loginStatus.initiatorError;
      if (error instanceof LoginFailure) status = error.status;
      else if (error instanceof ChapError) status = loginStatus.authenticationFailed;
      else if (!(error instanceof NegotiationError || error instanceof TextError)) throw error;
      const reason = (error as Error).message;
      return { status, transit: false, currentStage, nextStage: 0, text: new Uint8Array(), reason };
    }
  }

  #step(request: LoginRequest): LoginAnswer {
    if (this.#ended) throw new LoginFailure(loginStatus.invalidDuringLogin, 'the login is over');
    if (++this.#requests > MAX_REQUESTS) throw new NegotiationError('the login comes to no end');
    const { transit, continues, currentStage, nextStage } = request;
    if (continues && transit) throw new NegotiationError('both C and T are set');
    this.#checkStages(request);
    this.#pieces.push(Uint8Array.from(request.text));
    const length = this.#pieces.reduce((sum, piece) => sum + piece.length, 0);
    if (length > MAX_TEXT) throw new NegotiationError(`more than ${MAX_TEXT} bytes of text`);
    if (continues) {
      const status = loginStatus.success;
      return { status, transit: false, currentStage, nextStage: 0, text: new Uint8Array() };
    }
    const pairs = parseText(Buffer.concat(this.#pieces));
    this.#pieces = [];
    const answer: TextPair[] = [];
    if (this.#stage === undefined) this.#begin(request, pairs, answer);
    this.#stage = currentStage;
    if (currentStage === loginStage.security) this.#secure(pairs, answer);
    this.#operate(pairs, answer, currentStage);
    const text = encodeText(answer);
    if (text.length > MAX_ANSWER) throw new NegotiationError('the answer does not fit');
    return this.#transit(request, transit, nextStage, text);
  }

  #checkStages({ currentStage, nextStage, transit, isid }: LoginRequest): void {
    const { security, operational, fullFeature } = loginStage;
    if (currentStage !== security && currentStage !== operational) {
      throw new LoginFailure(loginStatus.invalidDuringLogin, `CSG ${currentStage}`);
    }
    if (transit && (nextStage <= currentStage || (nextStage !== operational && nextStage !== fullFeature))) {
      throw new LoginFailure(loginStatus.invalidDuringLogin, `from stage ${currentStage} to ${nextStage}`);
    }
    if (this.#stage === undefined) return;
    if (currentStage !== this.#stage) {
      throw new LoginFailure(loginStatus.invalidDuringLogin, `CSG ${currentStage} in stage ${this.#stage}`);
    }
    if (isid.some((byte, index) => byte !== this.#isid[index])) throw new NegotiationError('another ISID');
  }

  /** The first request says who and whom. */
  #begin({ versionMin, isid }: LoginRequest, pairs: readonly TextPair[], answer: TextPair[]): void {
    if (versionMin > 0) throw new LoginFailure(loginStatus.unsupportedVersion, `version ${versionMin}`);
    const keys = new Map(pairs);
    const name = keys.get('InitiatorName') ?? '';
    if (name === '') throw new LoginFailure(loginStatus.missingParameter, 'no InitiatorName');
    if (name.length > MAX_NAME || /[\0-\x20,\x7f]/.test(name)) throw new NegotiationError('InitiatorName');
    const type = keys.get('SessionType') ?? 'Normal';
    if (type !== 'Normal' && type !== 'Discovery') {
      throw new LoginFailure(loginStatus.sessionTypeNotSupported, `SessionType=${type}`);
    }
    this.#discovery = type === 'Discovery';
    this.#initiatorName = name.toLowerCase();
    this.#isid = Uint8Array.from(isid);
    if (this.#discovery) return;
    const target = keys.get('TargetName');
    if (target === undefined) throw new LoginFailure(loginStatus.missingParameter, 'no TargetName');
    this.#targetName = target.toLowerCase();
    if (!this.#environment.hasTarget(this.#targetName)) {
      throw new LoginFailure(
        loginStatus.targetNotFound,
        `no target ${JSON.stringify(target.slice(0, MAX_NAME))}`,
      );
    }
    answer.push(['TargetPortalGroupTag', String(this.#environment.portalGroupTag)]);
  }

  get #mustAuthenticate(): boolean {
    const { credentials, authenticateDiscovery } = this.#environment;
    return credentials !== undefined && (!this.#discovery || authenticateDiscovery);
  }

  get #authenticated(): boolean {
    return !this.#mustAuthenticate || this.#chap?.authenticated === true;
  }

  /** SecurityNegotiation (RFC 7143 12). */
  #secure(pairs: readonly TextPair[], answer: TextPair[]): void {
    const keys = new Map<string, string>();
    for (const [key, value] of pairs) {
      if (key !== 'AuthMethod' && !key.startsWith('CHAP_')) continue;
      if (keys.has(key)) throw new NegotiationError(`${key} twice`);
      keys.set(key, value);
    }
    const offer = keys.get('AuthMethod');
    if (offer !== undefined) {
      if (this.#seen.has('AuthMethod')) throw new NegotiationError('AuthMethod twice');
      this.#seen.add('AuthMethod');
      answer.push(['AuthMethod', this.#chooseMethod(offer)]);
      keys.delete('AuthMethod');
    }
    if (keys.size === 0) return;
    if (!this.#chap) throw new ChapError('CHAP keys without AuthMethod=CHAP');
    answer.push(...this.#chap.step(keys));
  }

  #chooseMethod(offer: string): string {
    const wanted = this.#mustAuthenticate ? 'CHAP' : 'None';
    if (!offer.split(',').includes(wanted)) {
      throw new LoginFailure(
        loginStatus.authenticationFailed,
        `AuthMethod=${offer}, but ${wanted} is needed`,
      );
    }
    if (wanted === 'CHAP') this.#chap = new ChapExchange(this.#environment.credentials!);
    return wanted;
  }

  #operate(pairs: readonly TextPair[], answer: TextPair[], stage: number): void {
    for (const pair of pairs) {
      const [key] = pair;
      const isSecurity = key === 'AuthMethod' || key.startsWith('CHAP_');
      if (isSecurity && stage === loginStage.security) continue;
      if (this.#seen.has(key)) throw new NegotiationError(`${key} twice`);
      this.#seen.add(key);
      if (isSecurity) throw new NegotiationError(`${key} in the operational stage`);
      const reply = negotiate(pair, this.#parameters, this.#environment.preferences, this.#discovery);
      if (reply) answer.push(reply);
    }
    if (stage !== loginStage.operational || this.#declared) return;
    this.#declared = true;
    const { maxRecvDataSegmentLength } = this.#environment.preferences;
    answer.push(['MaxRecvDataSegmentLength', String(maxRecvDataSegmentLength)]);
    const alias = this.#targetName === undefined ? undefined : this.#environment.alias(this.#targetName);
    if (alias !== undefined) answer.push(['TargetAlias', alias]);
  }

  #transit(request: LoginRequest, wanted: boolean, nextStage: number, text: Uint8Array): LoginAnswer {
    const { currentStage, tsih, cid } = request;
    const { success, authenticationFailed } = loginStatus;
    // An exchange that has begun is brought to its end before the stage is left; without one there is no way.
    if (!this.#authenticated && (!this.#chap || currentStage !== loginStage.security)) {
      const mayYetBegin = currentStage === loginStage.security && !wanted;
      if (!mayYetBegin)
        throw new LoginFailure(authenticationFailed, 'the initiator does not authenticate itself');
    }
    const transit = wanted && this.#authenticated;
    if (!transit) return { status: success, transit, currentStage, nextStage: 0, text };
    this.#stage = nextStage;
    if (nextStage !== loginStage.fullFeature)
      return { status: success, transit, currentStage, nextStage, text };
    this.#ended = true;
    const parameters = this.#parameters;
    parameters.firstBurstLength = Math.min(parameters.firstBurstLength, parameters.maxBurstLength);
    const outcome: LoginOutcome = {
      initiatorName: this.#initiatorName,
      targetName: this.#targetName,
      isid: this.#isid,
      tsih,
      cid,
      parameters,
    };
    return { status: success, transit, currentStage, nextStage, text, outcome };
  }
}
