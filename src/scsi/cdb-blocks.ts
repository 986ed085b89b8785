import {
  blockAddress10,
  blockAddress12,
  blockAddress16,
  blockAddress32,
  blockAddressAtomic,
  blockAddressCompare,
  type BlockAddress,
} from './block-address.js';
import { writeUint16, writeUint32, writeUint64 } from './big-endian.js';
import { opcode, serviceAction } from './opcode.js';

/*
 * CDBs of the block commands that are less used: of 32 bytes, atomic, verifying, and for the whole medium.
 */

/** Force unit access, disable page out, and BYTCHK: each only where the command has it. */
export interface BlockOptions {
  readonly fua?: boolean;
  readonly dpo?: boolean;
  /** 0: read the medium, 1: compare with Data-Out, 3: compare each block with one of Data-Out. */
  readonly bytchk?: number;
  /** WRITE SAME: the blocks may be deallocated. */
  readonly unmap?: boolean;
  /** WRITE SAME: no Data-Out, but zeroes. */
  readonly ndob?: boolean;
}

function flagsOf({
  fua = false,
  dpo = false,
  bytchk = 0,
  unmap = false,
  ndob = false,
}: BlockOptions): number {
  return (dpo ? 0x10 : 0) | (fua || unmap ? 0x08 : 0) | (bytchk << 1) | (ndob ? 0x01 : 0);
}

type Encoder = (lba: number, blocks: number, options?: BlockOptions) => Uint8Array;

function encoder(address: BlockAddress, operationCode: number): Encoder {
  return (lba, blocks, options = {}) => {
    const cdb = new Uint8Array(address.cdbLength);
    address.encode(cdb, lba, blocks);
    cdb[0] = operationCode;
    cdb[1] |= flagsOf(options);
    return cdb;
  };
}

/** Variable length, of 32 bytes (SPC-4 4.2.3). */
function encoder32(action: number): Encoder {
  return (lba, blocks, options = {}) => {
    const cdb = new Uint8Array(blockAddress32.cdbLength);
    blockAddress32.encode(cdb, lba, blocks);
    cdb[0] = opcode.variableLength;
    cdb[7] = cdb.length - 8;
    writeUint16(cdb, 8, action);
    cdb[10] = flagsOf(options);
    return cdb;
  };
}

export const read32 = encoder32(serviceAction.read32);
export const write32 = encoder32(serviceAction.write32);
export const verify32 = encoder32(serviceAction.verify32);
export const writeAndVerify32 = encoder32(serviceAction.writeAndVerify32);
export const writeSame32 = encoder32(serviceAction.writeSame32);

export const writeAndVerify10 = encoder(blockAddress10, opcode.writeAndVerify10);
export const writeAndVerify12 = encoder(blockAddress12, opcode.writeAndVerify12);
export const writeAndVerify16 = encoder(blockAddress16, opcode.writeAndVerify16);

/** At most 255 blocks. Data-Out is what they must hold, then what they get. */
export const compareAndWrite = encoder(blockAddressCompare, opcode.compareAndWrite);
export const orWrite16 = encoder(blockAddress16, opcode.orWrite16);
/** At most 65535 blocks. */
export const writeAtomic16 = encoder(blockAddressAtomic, opcode.writeAtomic16);

function immediate(cdb: Uint8Array, immed: boolean): Uint8Array {
  if (immed) cdb[1] |= 0x02;
  return cdb;
}

export const preFetch10 = (lba: number, blocks: number, immed = false): Uint8Array =>
  immediate(encoder(blockAddress10, opcode.preFetch10)(lba, blocks), immed);
export const preFetch16 = (lba: number, blocks: number, immed = false): Uint8Array =>
  immediate(encoder(blockAddress16, opcode.preFetch16)(lba, blocks), immed);

export function getLbaStatus16(lba: number, allocationLength: number): Uint8Array {
  const cdb = new Uint8Array(16);
  cdb[0] = opcode.serviceActionIn16;
  cdb[1] = serviceAction.getLbaStatus16;
  writeUint64(cdb, 2, lba);
  writeUint32(cdb, 10, allocationLength);
  return cdb;
}

export const getLbaStatus32 = (lba: number, allocationLength: number): Uint8Array =>
  encoder32(serviceAction.getLbaStatus32)(lba, allocationLength);

export interface DefectRequest {
  /** The list made by the manufacturer. */
  readonly primary?: boolean;
  /** The list grown since. */
  readonly grown?: boolean;
  /** 0: addresses of 4 bytes, 3: of 8. */
  readonly format?: number;
}

function defectFlags({ primary = false, grown = false, format = 0 }: DefectRequest): number {
  return (primary ? 0x10 : 0) | (grown ? 0x08 : 0) | (format & 0x07);
}

export function readDefectData10(allocationLength: number, request: DefectRequest = {}): Uint8Array {
  const cdb = new Uint8Array(10);
  cdb[0] = opcode.readDefectData10;
  cdb[2] = defectFlags(request);
  writeUint16(cdb, 7, allocationLength);
  return cdb;
}

export function readDefectData12(allocationLength: number, request: DefectRequest = {}): Uint8Array {
  const cdb = new Uint8Array(12);
  cdb[0] = opcode.readDefectData12;
  cdb[1] = defectFlags(request);
  writeUint32(cdb, 6, allocationLength);
  return cdb;
}

/** @param withList a parameter list of 4 bytes comes with it (FMTDATA) */
export const formatUnit = (withList = false): Uint8Array =>
  Uint8Array.of(opcode.formatUnit, withList ? 0x10 : 0, 0, 0, 0, 0);

/** The parameter list of FORMAT UNIT: a short header (SBC-3 table 35). */
export const formatParameters = (immed = false): Uint8Array => Uint8Array.of(0, immed ? 0x02 : 0, 0, 0);

export interface SanitizeOptions {
  /** Answer when the CDB was found in order. */
  readonly immed?: boolean;
  /** AUSE: a failure may be left by EXIT FAILURE MODE. */
  readonly exitAllowed?: boolean;
  /** Bytes of Data-Out: with OVERWRITE only. */
  readonly parameterListLength?: number;
}

/** @param action one of `serviceAction.sanitize…` */
export function sanitize(
  action: number,
  { immed = false, exitAllowed = false, parameterListLength = 0 }: SanitizeOptions = {},
): Uint8Array {
  const cdb = new Uint8Array(10);
  cdb[0] = opcode.sanitize;
  cdb[1] = action | (immed ? 0x80 : 0) | (exitAllowed ? 0x20 : 0);
  writeUint16(cdb, 7, parameterListLength);
  return cdb;
}

/** The parameter list of SANITIZE, OVERWRITE (SBC-3 table 78). @param pattern 1 byte to one logical block */
export function overwriteParameters(pattern: Uint8Array, passes = 1, invert = false): Uint8Array {
  const list = new Uint8Array(4 + pattern.length);
  list[0] = passes | (invert ? 0x80 : 0);
  writeUint16(list, 2, pattern.length);
  list.set(pattern, 4);
  return list;
}
