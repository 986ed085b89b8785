import { readUint32, readUint64, writeUint32, writeUint64 } from './big-endian.js';
import { additionalSense, senseKey, type SenseDetails } from './sense.js';

/** The two formats of sense data (SPC-4 4.5.2 and 4.5.3); the control mode page's D_SENSE chooses. */
export type SenseFormat = 'fixed' | 'descriptor';

/** One more for a deferred error. */
const responseCode = { fixed: 0x70, descriptor: 0x72 } as const;
const FIXED_LENGTH = 18;
const descriptorType = { information: 0x00, commandSpecific: 0x01, senseKeySpecific: 0x02 } as const;

/** The sense key specific bytes of an ILLEGAL REQUEST: which field was wrong (SPC-4 4.5.2.4.2). */
function fieldPointer({ inCdb, byte, bit }: NonNullable<SenseDetails['field']>): number[] {
  const flags = 0x80 | (inCdb ? 0x40 : 0) | (bit === undefined ? 0 : 0x08 | bit);
  return [flags, (byte >> 8) & 0xff, byte & 0xff];
}

/** The sense key specific bytes, where there are any. */
function keySpecific({ field, progress }: SenseDetails): number[] | undefined {
  if (field) return fieldPointer(field);
  return progress === undefined ? undefined : [0x80, (progress >> 8) & 0xff, progress & 0xff];
}

function encodeFixed(key: number, code: number, details: SenseDetails): Uint8Array {
  const { information } = details;
  const sense = new Uint8Array(FIXED_LENGTH);
  sense[0] = responseCode.fixed | (details.deferred ? 1 : 0);
  sense[2] = key & 0x0f;
  // Four bytes: a larger LBA can only be told in descriptor format, and VALID stays 0.
  if (information !== undefined && information <= 0xffff_ffff) {
    sense[0] |= 0x80;
    writeUint32(sense, 3, information);
  }
  sense[7] = FIXED_LENGTH - 8;
  writeUint32(sense, 8, details.commandSpecific ?? 0);
  sense[12] = code >> 8;
  sense[13] = code;
  const specific = keySpecific(details);
  if (specific) sense.set(specific, 15);
  return sense;
}

function encodeDescriptors(key: number, code: number, details: SenseDetails): Uint8Array {
  const { information } = details;
  const descriptors: number[] = [];
  if (information !== undefined) {
    const value = new Uint8Array(8);
    writeUint64(value, 0, information);
    descriptors.push(descriptorType.information, 0x0a, 0x80, 0, ...value);
  }
  if (details.commandSpecific !== undefined) {
    const value = new Uint8Array(8);
    writeUint32(value, 4, details.commandSpecific);
    descriptors.push(descriptorType.commandSpecific, 0x0a, 0, 0, ...value);
  }
  const specific = keySpecific(details);
  if (specific) descriptors.push(descriptorType.senseKeySpecific, 0x06, 0, 0, ...specific, 0);
  return Uint8Array.of(
    responseCode.descriptor | (details.deferred ? 1 : 0),
    key & 0x0f,
    code >> 8,
    code & 0xff,
    0,
    0,
    0,
    descriptors.length,
    ...descriptors,
  );
}

/**
 * Sense data for current errors.
 * @param key one of `senseKey`
 * @param code `asc << 8 | ascq`
 */
export function encodeSense(
  key: number,
  code: number,
  details: SenseDetails = {},
  format: SenseFormat = 'fixed',
): Uint8Array {
  return format === 'fixed' ? encodeFixed(key, code, details) : encodeDescriptors(key, code, details);
}

export interface DecodedSense {
  readonly key: number;
  /** `asc << 8 | ascq` */
  readonly code: number;
  readonly information?: number;
  readonly field?: SenseDetails['field'];
  /** With NOT READY: how far an operation in the background is, 0 to 65535. */
  readonly progress?: number;
  /** An error of an earlier command. */
  readonly deferred?: boolean;
}

/** Only ILLEGAL REQUEST points at a field, and only these keys count progress (SPC-4 table 37). */
function decodeKeySpecific(key: number, bytes: Uint8Array): Pick<DecodedSense, 'field' | 'progress'> {
  if (bytes.length < 3 || (bytes[0] & 0x80) === 0) return {};
  if (key === senseKey.noSense || key === senseKey.notReady) return { progress: (bytes[1] << 8) | bytes[2] };
  return { field: decodeFieldPointer(bytes) };
}

function decodeFieldPointer(bytes: Uint8Array): SenseDetails['field'] {
  if (bytes.length < 3 || (bytes[0] & 0x80) === 0) return undefined;
  const field = { inCdb: (bytes[0] & 0x40) !== 0, byte: (bytes[1] << 8) | bytes[2] };
  return (bytes[0] & 0x08) === 0 ? field : { ...field, bit: bytes[0] & 0x07 };
}

function decodeDescriptors(sense: Uint8Array): DecodedSense {
  const key = sense[1] & 0x0f;
  let information: number | undefined;
  let specific: Pick<DecodedSense, 'field' | 'progress'> = {};
  const end = Math.min(sense.length, 8 + sense[7]);
  for (let at = 8; at + 2 <= end; at += 2 + sense[at + 1]) {
    if (sense[at] === descriptorType.information && at + 12 <= end) information = readUint64(sense, at + 4);
    if (sense[at] === descriptorType.senseKeySpecific && at + 8 <= end) {
      specific = decodeKeySpecific(key, sense.subarray(at + 4, at + 7));
    }
  }
  const base = { key, code: (sense[2] << 8) | sense[3], information, field: undefined, ...specific };
  return sense[0] === 0x73 ? { ...base, deferred: true } : base;
}

/** @returns undefined where `sense` is in neither format, or too short for a sense key */
export function decodeSense(sense: Uint8Array): DecodedSense | undefined {
  const code = (sense[0] ?? 0) & 0x7f;
  if ((code === 0x72 || code === 0x73) && sense.length >= 8) return decodeDescriptors(sense);
  if ((code !== 0x70 && code !== 0x71) || sense.length < 14) return undefined;
  const base = {
    key: sense[2] & 0x0f,
    code: (sense[12] << 8) | sense[13],
    information: (sense[0] & 0x80) === 0 ? undefined : readUint32(sense, 3),
    field: undefined,
    ...decodeKeySpecific(sense[2] & 0x0f, sense.subarray(15, 18)),
  };
  return code === 0x71 ? { ...base, deferred: true } : base;
}

/** `writeProtected` as `write protected`. */
function words(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}

function nameOf(table: Record<string, number>, value: number): string | undefined {
  const name = Object.keys(table).find((key) => table[key] === value);
  return name === undefined ? undefined : words(name);
}

/** A line for people: `illegal request, invalid field in cdb (5/24/00)`. */
export function describeSense({ key, code }: Pick<DecodedSense, 'key' | 'code'>): string {
  const hex = (value: number): string => value.toString(16).padStart(2, '0');
  const numbers = `${key.toString(16)}/${hex(code >> 8)}/${hex(code & 0xff)}`;
  const names = [nameOf(senseKey, key), nameOf(additionalSense, code)].filter((name) => name !== undefined);
  return names.length === 0 ? numbers : `${names.join(', ')} (${numbers})`;
}
