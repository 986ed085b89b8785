import { parseBoolean, parseNumber, type TextPair } from './text-keys.js';

/*
 * Operational keys (RFC 7143 13): what each may be, what this target wants, and what comes of both.
 */

export type Digest = 'None' | 'CRC32C';

/** What a session runs by after login; bytes and seconds. */
export interface OperationalParameters {
  headerDigest: Digest;
  dataDigest: Digest;
  initialR2T: boolean;
  immediateData: boolean;
  /** What the initiator takes in one data segment. */
  maxSendDataSegmentLength: number;
  maxBurstLength: number;
  firstBurstLength: number;
  maxOutstandingR2T: number;
  defaultTime2Wait: number;
  defaultTime2Retain: number;
  errorRecoveryLevel: number;
}

/** What RFC 7143 13 says holds where a key is not negotiated. */
export function defaultParameters(): OperationalParameters {
  return {
    headerDigest: 'None',
    dataDigest: 'None',
    initialR2T: true,
    immediateData: true,
    maxSendDataSegmentLength: 8192,
    maxBurstLength: 262144,
    firstBurstLength: 65536,
    maxOutstandingR2T: 1,
    defaultTime2Wait: 2,
    defaultTime2Retain: 20,
    errorRecoveryLevel: 0,
  };
}

/** What this target proposes or insists on. */
export interface TargetPreferences {
  /** What this target takes in one data segment. */
  readonly maxRecvDataSegmentLength: number;
  readonly maxBurstLength: number;
  readonly firstBurstLength: number;
  readonly maxOutstandingR2T: number;
  readonly initialR2T: boolean;
  readonly immediateData: boolean;
  /** Digests it can do; the initiator's order decides. */
  readonly digests: readonly Digest[];
}

export const defaultPreferences: TargetPreferences = {
  maxRecvDataSegmentLength: 262144,
  maxBurstLength: 1048576,
  firstBurstLength: 262144,
  maxOutstandingR2T: 8,
  initialR2T: false,
  immediateData: true,
  digests: ['None', 'CRC32C'],
};

/** The proposal breaks the rules of negotiation: the login ends (RFC 7143 7.12). */
export class NegotiationError extends Error {
  override readonly name = 'NegotiationError';
}

type Answer = string | undefined;

/** @returns the answer, or undefined for a declaration, which has none */
type Rule = (value: string, parameters: OperationalParameters, ours: TargetPreferences) => Answer;

const REJECT = 'Reject';

type NumberKey = 'maxBurstLength' | 'firstBurstLength' | 'maxOutstandingR2T';

function minimum(key: NumberKey, low: number, high: number): Rule {
  return (value, parameters, ours) => {
    const number = parseNumber(value);
    if (number === undefined || number < low || number > high) return REJECT;
    parameters[key] = Math.min(number, ours[key]);
    return String(parameters[key]);
  };
}

function seconds(key: 'defaultTime2Wait' | 'defaultTime2Retain', choose: (theirs: number) => number): Rule {
  return (value, parameters) => {
    const number = parseNumber(value);
    if (number === undefined || number > 3600) return REJECT;
    parameters[key] = choose(number);
    return String(parameters[key]);
  };
}

/** Whose outcome is known whatever is proposed; the proposal must only be well formed. */
function settled(answer: string, wellFormed: (value: string) => boolean): Rule {
  return (value) => (wellFormed(value) ? answer : REJECT);
}

const isBoolean = (value: string): boolean => parseBoolean(value) !== undefined;
const isNumber =
  (low: number, high: number) =>
  (value: string): boolean => {
    const number = parseNumber(value);
    return number !== undefined && number >= low && number <= high;
  };

function digest(key: 'headerDigest' | 'dataDigest'): Rule {
  return (value, parameters, ours) => {
    const chosen = value.split(',').find((name) => ours.digests.includes(name as Digest));
    if (chosen === undefined) return REJECT;
    parameters[key] = chosen as Digest;
    return chosen;
  };
}

const bit = (value: boolean): string => (value ? 'Yes' : 'No');

const declareMaxRecvDataSegmentLength: Rule = (value, parameters) => {
  const number = parseNumber(value);
  if (number === undefined || number < 512 || number > 0xffffff) {
    throw new NegotiationError(`MaxRecvDataSegmentLength=${value}`);
  }
  parameters.maxSendDataSegmentLength = number;
  return undefined;
};

const declared: Rule = () => undefined;

const rules: Readonly<Record<string, Rule>> = {
  HeaderDigest: digest('headerDigest'),
  DataDigest: digest('dataDigest'),
  MaxConnections: settled('1', isNumber(1, 65535)),
  InitialR2T: (value, parameters, ours) => {
    const theirs = parseBoolean(value);
    if (theirs === undefined) return REJECT;
    return bit((parameters.initialR2T = theirs || ours.initialR2T));
  },
  ImmediateData: (value, parameters, ours) => {
    const theirs = parseBoolean(value);
    if (theirs === undefined) return REJECT;
    return bit((parameters.immediateData = theirs && ours.immediateData));
  },
  MaxRecvDataSegmentLength: declareMaxRecvDataSegmentLength,
  MaxBurstLength: minimum('maxBurstLength', 512, 0xffffff),
  FirstBurstLength: minimum('firstBurstLength', 512, 0xffffff),
  MaxOutstandingR2T: minimum('maxOutstandingR2T', 1, 65535),
  // The outcome is the greater; this target needs no waiting.
  DefaultTime2Wait: seconds('defaultTime2Wait', (theirs) => theirs),
  // The outcome is the lesser; at error recovery level 0 no task outlives its connection.
  DefaultTime2Retain: seconds('defaultTime2Retain', () => 0),
  DataPDUInOrder: settled('Yes', isBoolean),
  DataSequenceInOrder: settled('Yes', isBoolean),
  ErrorRecoveryLevel: settled('0', isNumber(0, 2)),
  // Markers are obsolete (RFC 7143 13.25); initiators of RFC 3720 still offer them.
  OFMarker: settled('No', isBoolean),
  IFMarker: settled('No', isBoolean),
  OFMarkInt: () => REJECT,
  IFMarkInt: () => REJECT,
  TaskReporting: (value) => (value.split(',').includes('RFC3720') ? 'RFC3720' : REJECT),
  iSCSIProtocolLevel: settled('1', isNumber(0, 31)),
  InitiatorAlias: declared,
  InitiatorName: declared,
  TargetName: declared,
  SessionType: declared,
  // Only a target says these (RFC 7143 13.7 to 13.9), and the last belongs to Text requests.
  TargetAlias: () => REJECT,
  TargetAddress: () => REJECT,
  TargetPortalGroupTag: () => REJECT,
  SendTargets: () => REJECT,
};

/** Keys that mean nothing in a discovery session (RFC 7143 13). */
const irrelevantInDiscovery: ReadonlySet<string> = new Set([
  'MaxConnections',
  'InitialR2T',
  'ImmediateData',
  'MaxBurstLength',
  'FirstBurstLength',
  'MaxOutstandingR2T',
  'DataPDUInOrder',
  'DataSequenceInOrder',
  'TaskReporting',
]);

/**
 * Answer one operational key.
 * @returns the pair to send, or undefined where the key asks for no answer
 * @throws NegotiationError
 */
export function negotiate(
  [key, value]: TextPair,
  parameters: OperationalParameters,
  ours: TargetPreferences,
  discovery: boolean,
): TextPair | undefined {
  if (!Object.hasOwn(rules, key)) return [key, 'NotUnderstood'];
  if (discovery && irrelevantInDiscovery.has(key)) return [key, 'Irrelevant'];
  const answer = rules[key](value, parameters, ours);
  return answer === undefined ? undefined : [key, answer];
}

/** Whether a key may also come in a Text request, after login (RFC 7143 13: "Use: ALL" or "FFPO"). */
export function isFullFeatureKey(key: string): boolean {
  return key === 'MaxRecvDataSegmentLength' || key === 'InitiatorAlias';
}

export function isKnownKey(key: string): boolean {
  return Object.hasOwn(rules, key);
}
