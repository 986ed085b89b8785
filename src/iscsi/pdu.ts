import {
  readUint16,
  readUint24,
  readUint32,
  writeUint16,
  writeUint24,
  writeUint32,
} from '../scsi/big-endian.js';

/*
 * iSCSI PDUs (RFC 7143 11): operation codes and the fields of each basic header segment. The table serves
 * initiators, tests and everything that is not on the hot path; what is writes the same fields by hand.
 */

/** Bytes of a basic header segment. */
export const BHS_LENGTH = 48;

/** A tag that names nothing: ITT of a NOP-In ping, TTT of unsolicited data. */
export const RESERVED_TAG = 0xffffffff;

/** Operation codes (RFC 7143 11.2.1.2). */
export const pduOpcode = {
  nopOut: 0x00,
  scsiCommand: 0x01,
  taskManagementRequest: 0x02,
  loginRequest: 0x03,
  textRequest: 0x04,
  dataOut: 0x05,
  logoutRequest: 0x06,
  snackRequest: 0x10,
  nopIn: 0x20,
  scsiResponse: 0x21,
  taskManagementResponse: 0x22,
  loginResponse: 0x23,
  textResponse: 0x24,
  dataIn: 0x25,
  logoutResponse: 0x26,
  readyToTransfer: 0x31,
  asynchronousMessage: 0x32,
  reject: 0x3f,
} as const;

export type PduName = keyof typeof pduOpcode;

/** Byte 0: deliver at once, outside the order of command numbers. */
export const IMMEDIATE = 0x40;

/** Byte 1 of most PDUs: the last one of a sequence. */
export const FINAL = 0x80;

/** Reasons of a Reject PDU (RFC 7143 11.17.1). */
export const rejectReason = {
  dataDigestError: 0x02,
  snackReject: 0x03,
  protocolError: 0x04,
  commandNotSupported: 0x05,
  immediateCommandReject: 0x06,
  taskInProgress: 0x07,
  invalidDataAck: 0x08,
  invalidPduField: 0x09,
  longOperationReject: 0x0a,
  waitingForLogout: 0x0c,
} as const;

/** Functions of a Task Management Function Request (RFC 7143 11.5.1). */
export const taskManagementFunction = {
  abortTask: 1,
  abortTaskSet: 2,
  clearAca: 3,
  clearTaskSet: 4,
  logicalUnitReset: 5,
  targetWarmReset: 6,
  targetColdReset: 7,
  taskReassign: 8,
} as const;

/** Answers to it (RFC 7143 11.6.1). */
export const taskManagementResponse = {
  complete: 0,
  taskDoesNotExist: 1,
  lunDoesNotExist: 2,
  taskStillAllegiant: 3,
  reassignmentNotSupported: 4,
  notSupported: 5,
  authorizationFailed: 6,
  rejected: 255,
} as const;

/** Events of an Asynchronous Message (RFC 7143 11.9.1). */
export const asynchronousEvent = {
  scsi: 0,
  logoutRequested: 1,
  connectionDropped: 2,
  sessionDropped: 3,
  negotiationRequested: 4,
} as const;

/** Where a field is, and how long: 1, 2, 3 or 4 bytes as a number, more as bytes. */
type Field = readonly [offset: number, length: number];

const requestNumbers = { cmdSn: [24, 4], expStatSn: [28, 4] } as const;
const responseNumbers = { statSn: [24, 4], expCmdSn: [28, 4], maxCmdSn: [32, 4] } as const;
const lunAndItt = { lun: [8, 8], itt: [16, 4] } as const;
const itt = { itt: [16, 4] } as const;
const ttt = { ttt: [20, 4] } as const;
const loginFields = { versionMax: [2, 1], version: [3, 1], isid: [8, 6], tsih: [14, 2], ...itt } as const;

/** The fields of each PDU besides operation code, flags (byte 1), TotalAHSLength and DataSegmentLength. */
export const pduFields = {
  nopOut: { ...lunAndItt, ...ttt, ...requestNumbers },
  scsiCommand: { ...lunAndItt, expectedDataTransferLength: [20, 4], ...requestNumbers, cdb: [32, 16] },
  taskManagementRequest: {
    ...lunAndItt,
    referencedTaskTag: [20, 4],
    ...requestNumbers,
    refCmdSn: [32, 4],
    expDataSn: [36, 4],
  },
  loginRequest: { ...loginFields, cid: [20, 2], ...requestNumbers },
  textRequest: { ...lunAndItt, ...ttt, ...requestNumbers },
  dataOut: { ...lunAndItt, ...ttt, expStatSn: [28, 4], dataSn: [36, 4], bufferOffset: [40, 4] },
  logoutRequest: { ...itt, cid: [20, 2], ...requestNumbers },
  snackRequest: { ...lunAndItt, ...ttt, expStatSn: [28, 4], begRun: [40, 4], runLength: [44, 4] },
  nopIn: { ...lunAndItt, ...ttt, ...responseNumbers },
  scsiResponse: {
    response: [2, 1],
    status: [3, 1],
    ...itt,
    snackTag: [20, 4],
    ...responseNumbers,
    expDataSn: [36, 4],
    bidirectionalResidual: [40, 4],
    residual: [44, 4],
  },
  taskManagementResponse: { response: [2, 1], ...itt, ...responseNumbers },
  loginResponse: { ...loginFields, ...responseNumbers, statusClass: [36, 1], statusDetail: [37, 1] },
  textResponse: { ...lunAndItt, ...ttt, ...responseNumbers },
  dataIn: {
    status: [3, 1],
    ...lunAndItt,
    ...ttt,
    ...responseNumbers,
    dataSn: [36, 4],
    bufferOffset: [40, 4],
    residual: [44, 4],
  },
  logoutResponse: { response: [2, 1], ...itt, ...responseNumbers, time2Wait: [40, 2], time2Retain: [42, 2] },
  readyToTransfer: {
    ...lunAndItt,
    ...ttt,
    ...responseNumbers,
    r2tSn: [36, 4],
    bufferOffset: [40, 4],
    desiredLength: [44, 4],
  },
  asynchronousMessage: {
    lun: [8, 8],
    itt: [16, 4],
    ...responseNumbers,
    event: [36, 1],
    vendorCode: [37, 1],
    parameter1: [38, 2],
    parameter2: [40, 2],
    parameter3: [42, 2],
  },
  reject: { reason: [2, 1], ...itt, ...responseNumbers, dataSn: [36, 4] },
} as const satisfies Record<PduName, Record<string, Field>>;

type FieldsOf<Name extends PduName> = (typeof pduFields)[Name];
type ValueOf<F> = F extends readonly [number, 1 | 2 | 3 | 4] ? number : Uint8Array;

/** The values of one PDU's fields. */
export type PduValues<Name extends PduName> = {
  -readonly [Key in keyof FieldsOf<Name>]: ValueOf<FieldsOf<Name>[Key]>;
} & { flags: number };

export interface DecodedPdu<Name extends PduName> {
  readonly name: Name;
  readonly immediate: boolean;
  readonly values: PduValues<Name>;
  /** Additional header segments, in words of 4 bytes. */
  readonly ahsWords: number;
  /** Bytes of the data segment, without padding. */
  readonly dataLength: number;
}

const namesByOpcode = new Map<number, PduName>(
  Object.entries(pduOpcode).map(([name, code]) => [code, name as PduName]),
);

/** @returns undefined where RFC 7143 has no such operation code */
export function pduName(opcode: number): PduName | undefined {
  return namesByOpcode.get(opcode & 0x3f);
}

function writeNumber(bytes: Uint8Array, at: number, length: number, value: number): void {
  if (length === 1) bytes[at] = value;
  else if (length === 2) writeUint16(bytes, at, value);
  else writeUint32(bytes, at, value);
}

function readNumber(bytes: Uint8Array, at: number, length: number): number {
  if (length === 1) return bytes[at];
  return length === 2 ? readUint16(bytes, at) : readUint32(bytes, at);
}

export interface PduOptions {
  readonly immediate?: boolean;
  /** Additional header segments; a multiple of 4 bytes, at most 1020. */
  readonly ahs?: Uint8Array;
  readonly data?: Uint8Array;
}

/**
 * A PDU without digests: basic header segment, additional header segments, data segment padded to 4 bytes.
 * Fields that are left out are zero.
 * @throws RangeError where a part is longer than its length field can say
 */
export function encodePdu<Name extends PduName>(
  name: Name,
  values: Partial<PduValues<Name>>,
  { immediate = false, ahs = new Uint8Array(), data = new Uint8Array() }: PduOptions = {},
): Buffer {
  if (data.length > 0xffffff) throw new RangeError(`a data segment of ${data.length} bytes`);
  if (ahs.length % 4 !== 0 || ahs.length > 1020) throw new RangeError(`an AHS of ${ahs.length} bytes`);
  const bytes = Buffer.alloc(BHS_LENGTH + ahs.length + paddedLength(data.length));
  bytes[0] = pduOpcode[name] | (immediate ? IMMEDIATE : 0);
  bytes[1] = values.flags ?? 0;
  for (const [key, [at, length]] of Object.entries(pduFields[name]) as [string, Field][]) {
    const value = (values as Record<string, number | Uint8Array | undefined>)[key];
    if (value === undefined) continue;
    if (typeof value === 'number') writeNumber(bytes, at, length, value);
    else bytes.set(value.subarray(0, length), at);
  }
  bytes[4] = ahs.length / 4;
  writeUint24(bytes, 5, data.length);
  bytes.set(ahs, BHS_LENGTH);
  bytes.set(data, BHS_LENGTH + ahs.length);
  return bytes;
}

/** @returns undefined for an operation code RFC 7143 does not have */
export function decodePdu(bytes: Uint8Array): { [Name in PduName]: DecodedPdu<Name> }[PduName] | undefined {
  const name = pduName(bytes[0]);
  if (name === undefined) return undefined;
  const values: Record<string, number | Uint8Array> = { flags: bytes[1] };
  for (const [key, [at, length]] of Object.entries(pduFields[name]) as [string, Field][]) {
    values[key] =
      length <= 4 ? readNumber(bytes, at, length) : Uint8Array.from(bytes.subarray(at, at + length));
  }
  return {
    name,
    immediate: (bytes[0] & IMMEDIATE) !== 0,
    values,
    ahsWords: bytes[4],
    dataLength: readUint24(bytes, 5),
  } as unknown as { [Name in PduName]: DecodedPdu<Name> }[PduName];
}

/** Data segments and additional header segments end on a word. */
export function paddedLength(length: number): number {
  return (length + 3) & ~3;
}

/** Serial number arithmetic (RFC 1982): whether `a` comes before `b`, both of 32 bits. */
export function isBefore(a: number, b: number): boolean {
  return ((a - b) | 0) < 0;
}
