import { writeUint16, writeUint24, writeUint32, writeUint64 } from './big-endian.js';
import { copyDescriptor } from './copy-limits.js';
import type { Designator } from './copy-manager.js';
import { opcode, serviceAction } from './opcode.js';

/*
 * CDBs and parameter lists of third-party copy, as an initiator makes them.
 */

function copyCdb(operationCode: number, action: number, listId: Uint8Array, length: number): Uint8Array {
  const cdb = new Uint8Array(16);
  cdb[0] = operationCode;
  cdb[1] = action;
  cdb.set(listId, 2);
  writeUint32(cdb, 10, length);
  return cdb;
}

const noId = new Uint8Array();
const lid1 = (listId: number): Uint8Array => Uint8Array.of(listId);

function lid4(listId: number): Uint8Array {
  const bytes = new Uint8Array(4);
  writeUint32(bytes, 0, listId);
  return bytes;
}

/** @param parameterListLength bytes of Data-Out: as extendedCopyParameters makes them */
export const extendedCopy = (parameterListLength: number): Uint8Array =>
  copyCdb(opcode.thirdPartyCopyOut, serviceAction.extendedCopyLid1, noId, parameterListLength);

/** A logical unit that takes part in an EXTENDED COPY. */
export interface CopyTargetFields extends Designator {
  /** Bytes; 0 leaves it open. */
  readonly blockLength?: number;
  readonly pad?: boolean;
}

/** A block to block segment descriptor (type 02h). */
export interface BlockSegmentFields {
  /** Indices of targets. */
  readonly source: number;
  readonly destination: number;
  readonly blocks: number;
  readonly sourceLba: number;
  readonly destinationLba: number;
  /** DC: `blocks` are the destination's. */
  readonly destinationCounts?: boolean;
}

/** A block to block segment descriptor that counts bytes (type 0Ah). */
export interface OffsetSegmentFields extends Omit<BlockSegmentFields, 'blocks' | 'destinationCounts'> {
  readonly bytes: number;
  readonly sourceByte?: number;
  readonly destinationByte?: number;
}

export interface CopyListFields {
  /** Undefined: LIST ID USAGE 11b. */
  readonly listId?: number;
  readonly targets: readonly CopyTargetFields[];
  readonly segments: readonly (BlockSegmentFields | OffsetSegmentFields)[];
}

function targetDescriptor({
  codeSet,
  type,
  value,
  blockLength = 0,
  pad = false,
}: CopyTargetFields): Uint8Array {
  const bytes = new Uint8Array(32);
  bytes[0] = copyDescriptor.identification;
  bytes[4] = codeSet;
  bytes[5] = type;
  bytes[7] = value.length;
  bytes.set(value.subarray(0, 20), 8);
  bytes[28] = pad ? 0x04 : 0;
  writeUint24(bytes, 29, blockLength);
  return bytes;
}

function segmentDescriptor(fields: BlockSegmentFields | OffsetSegmentFields): Uint8Array {
  const counted = 'bytes' in fields;
  const bytes = new Uint8Array(counted ? 32 : 28);
  bytes[0] = counted ? copyDescriptor.blockToBlockWithOffset : copyDescriptor.blockToBlock;
  writeUint16(bytes, 2, bytes.length - 4);
  writeUint16(bytes, 4, fields.source);
  writeUint16(bytes, 6, fields.destination);
  writeUint64(bytes, 12, fields.sourceLba);
  writeUint64(bytes, 20, fields.destinationLba);
  if (counted) {
    writeUint32(bytes, 8, fields.bytes);
    writeUint16(bytes, 28, fields.sourceByte ?? 0);
    writeUint16(bytes, 30, fields.destinationByte ?? 0);
  } else {
    bytes[1] = fields.destinationCounts ? 0x02 : 0;
    writeUint16(bytes, 10, fields.blocks);
  }
  return bytes;
}

/** The parameter list of EXTENDED COPY(LID1) (SPC-4 6.5). */
export function extendedCopyParameters({ listId, targets, segments }: CopyListFields): Uint8Array {
  const cscd = targets.map(targetDescriptor);
  const described = segments.map(segmentDescriptor);
  const header = new Uint8Array(16);
  header[0] = listId ?? 0;
  header[1] = listId === undefined ? 0x18 : 0;
  writeUint16(header, 2, cscd.length * 32);
  writeUint32(
    header,
    8,
    described.reduce((sum, { length }) => sum + length, 0),
  );
  return Uint8Array.from([header, ...cscd, ...described].flatMap((bytes) => [...bytes]));
}

export const receiveCopyStatusLid1 = (listId: number, allocationLength = 12): Uint8Array =>
  copyCdb(opcode.thirdPartyCopyIn, serviceAction.receiveCopyStatusLid1, lid1(listId), allocationLength);
export const receiveCopyDataLid1 = (listId: number, allocationLength: number): Uint8Array =>
  copyCdb(opcode.thirdPartyCopyIn, serviceAction.receiveCopyDataLid1, lid1(listId), allocationLength);
export const receiveCopyOperatingParameters = (allocationLength: number): Uint8Array =>
  copyCdb(opcode.thirdPartyCopyIn, serviceAction.receiveCopyOperatingParameters, noId, allocationLength);
export const receiveCopyFailureDetailsLid1 = (listId: number, allocationLength: number): Uint8Array =>
  copyCdb(
    opcode.thirdPartyCopyIn,
    serviceAction.receiveCopyFailureDetailsLid1,
    lid1(listId),
    allocationLength,
  );
export const receiveCopyStatusLid4 = (listId: number, allocationLength: number): Uint8Array =>
  copyCdb(opcode.thirdPartyCopyIn, serviceAction.receiveCopyStatusLid4, lid4(listId), allocationLength);
export const receiveRodTokenInformation = (listId: number, allocationLength: number): Uint8Array =>
  copyCdb(opcode.thirdPartyCopyIn, serviceAction.receiveRodTokenInformation, lid4(listId), allocationLength);

export const populateToken = (listId: number, parameterListLength: number): Uint8Array =>
  copyCdb(opcode.thirdPartyCopyOut, serviceAction.populateToken, lid4(listId), parameterListLength);
export const writeUsingToken = (listId: number, parameterListLength: number): Uint8Array =>
  copyCdb(opcode.thirdPartyCopyOut, serviceAction.writeUsingToken, lid4(listId), parameterListLength);

/** A range in logical blocks. */
export interface BlockRange {
  readonly lba: number;
  readonly blocks: number;
}

function setRanges(list: Uint8Array, lengthAt: number, ranges: readonly BlockRange[]): void {
  writeUint16(list, 0, list.length - 2);
  writeUint16(list, lengthAt, 16 * ranges.length);
  ranges.forEach(({ lba, blocks }, index) => {
    writeUint64(list, lengthAt + 2 + 16 * index, lba);
    writeUint32(list, lengthAt + 10 + 16 * index, blocks);
  });
}

export interface PopulateTokenFields {
  readonly ranges: readonly BlockRange[];
  /** Seconds; 0 for the unit's default. */
  readonly inactivityTimeout?: number;
  /** Undefined: the unit chooses (RTV 0). */
  readonly rodType?: number;
  readonly immediate?: boolean;
}

/** The parameter list of POPULATE TOKEN (SBC-3 5.7.2). */
export function populateTokenParameters(fields: PopulateTokenFields): Uint8Array {
  const list = new Uint8Array(16 + 16 * fields.ranges.length);
  list[2] = (fields.rodType === undefined ? 0 : 0x02) | (fields.immediate ? 0x01 : 0);
  writeUint32(list, 4, fields.inactivityTimeout ?? 0);
  writeUint32(list, 8, fields.rodType ?? 0);
  setRanges(list, 14, fields.ranges);
  return list;
}

export interface WriteUsingTokenFields {
  /** 512 bytes. */
  readonly token: Uint8Array;
  readonly ranges: readonly BlockRange[];
  /** Blocks of the unit written to. */
  readonly offset?: number;
  readonly immediate?: boolean;
  /** DEL_TKN: the token is used up. */
  readonly deleteToken?: boolean;
}

/** The parameter list of WRITE USING TOKEN (SBC-3 5.48.2). */
export function writeUsingTokenParameters(fields: WriteUsingTokenFields): Uint8Array {
  const list = new Uint8Array(536 + 16 * fields.ranges.length);
  list[2] = (fields.deleteToken ? 0x02 : 0) | (fields.immediate ? 0x01 : 0);
  writeUint64(list, 8, fields.offset ?? 0);
  list.set(fields.token, 16);
  setRanges(list, 534, fields.ranges);
  return list;
}
