import { readUint16, readUint24, readUint32, readUint64 } from './big-endian.js';
import { copyDescriptor, copyLimits } from './copy-limits.js';
import type { Designator } from './copy-manager.js';
import { invalidFieldInParameterList, parameterListLengthError } from './invalid-field.js';
import { additionalSense, senseKey, SenseError } from './sense.js';

const HEADER = 16;
const TARGET = 32;

/** LIST ID USAGE (SPC-4 table 117). */
const listIdUsage = { hold: 0, discard: 2, none: 3 } as const;

/** An identification CSCD descriptor (SPC-4 6.4.5.2): a logical unit that takes part in a copy. */
export interface CopyTarget {
  readonly designator: Designator;
  readonly deviceType: number;
  /** PAD: what is missing at the end of a block is filled with zeroes. */
  readonly pad: boolean;
  /** DISK BLOCK LENGTH in bytes; 0 where it is left open. */
  readonly blockLength: number;
}

/** A segment descriptor that copies between block devices (SPC-4 6.4.6.3, 6.4.6.10). */
export interface CopySegment {
  /** Counted from 0. */
  readonly index: number;
  /** CSCD descriptor indices. */
  readonly source: number;
  readonly destination: number;
  /** CAT: what does not fill a block is kept for the next segment. */
  readonly concatenate: boolean;
  /** Blocks of the source or the destination, or bytes. */
  readonly amount: number;
  readonly unit: 'sourceBlocks' | 'destinationBlocks' | 'bytes';
  readonly sourceLba: number;
  readonly destinationLba: number;
  /** Bytes from the beginning of the first block. */
  readonly sourceByte: number;
  readonly destinationByte: number;
}

/** The parameter list of EXTENDED COPY(LID1) (SPC-4 6.5). */
export interface CopyList {
  /** Undefined where the results cannot be asked for. */
  readonly listId: number | undefined;
  readonly targets: readonly CopyTarget[];
  readonly segments: readonly CopySegment[];
}

/** The most bytes a parameter list may have. */
export const COPY_LIST_LIMIT = HEADER + copyLimits.descriptorBytes;

function illegalRequest(code: number, message: string, byte: number): SenseError {
  return new SenseError(senseKey.illegalRequest, code, message, { field: { inCdb: false, byte } });
}

function parseTarget(list: Uint8Array, at: number): CopyTarget {
  if (list[at] !== copyDescriptor.identification) {
    throw illegalRequest(
      additionalSense.unsupportedTargetDescriptorTypeCode,
      `CSCD descriptors of type ${list[at].toString(16)}h are not supported`,
      at,
    );
  }
  const length = list[at + 7];
  if (length > 20) throw invalidFieldInParameterList(at + 7, 'a designator has at most 20 bytes here');
  // LU ID TYPE and NUL, in the same byte as the device type, are obsolete and ignored.
  return {
    designator: {
      codeSet: list[at + 4] & 0x0f,
      type: list[at + 5] & 0x0f,
      value: list.slice(at + 8, at + 8 + length),
    },
    deviceType: list[at + 1] & 0x1f,
    pad: (list[at + 28] & 0x04) !== 0,
    blockLength: readUint24(list, at + 29),
  };
}

/** DESCRIPTOR LENGTH of each segment descriptor: the bytes after it. */
const segmentLength: ReadonlyMap<number, number> = new Map([
  [copyDescriptor.blockToBlock, 0x18],
  [copyDescriptor.blockToBlockWithOffset, 0x1c],
]);

function parseSegment(list: Uint8Array, at: number, end: number, index: number): CopySegment {
  const type = list[at];
  const length = segmentLength.get(type);
  if (length === undefined) {
    throw illegalRequest(
      additionalSense.unsupportedSegmentDescriptorTypeCode,
      `segment descriptors of type ${type.toString(16)}h are not supported`,
      at,
    );
  }
  if (at + 4 + length > end) throw invalidFieldInParameterList(8, 'a segment descriptor is cut off');
  if (readUint16(list, at + 2) !== length) {
    throw invalidFieldInParameterList(at + 2, `the descriptor has a length of ${length}`);
  }
  const common = {
    index,
    source: readUint16(list, at + 4),
    destination: readUint16(list, at + 6),
    concatenate: (list[at + 1] & 0x01) !== 0,
    sourceLba: readUint64(list, at + 12),
    destinationLba: readUint64(list, at + 20),
  };
  if (type === copyDescriptor.blockToBlockWithOffset) {
    return {
      ...common,
      amount: readUint32(list, at + 8),
      unit: 'bytes',
      sourceByte: readUint16(list, at + 28),
      destinationByte: readUint16(list, at + 30),
    };
  }
  const destinationCounts = (list[at + 1] & 0x02) !== 0;
  return {
    ...common,
    amount: readUint16(list, at + 10),
    unit: destinationCounts ? 'destinationBlocks' : 'sourceBlocks',
    sourceByte: 0,
    destinationByte: 0,
  };
}

function parseListId(list: Uint8Array): number | undefined {
  const usage = (list[1] >> 3) & 0x03;
  if (usage === listIdUsage.hold || usage === listIdUsage.discard) return list[0];
  if (usage !== listIdUsage.none) throw invalidFieldInParameterList(1, 'this LIST ID USAGE is reserved', 4);
  if (list[0] !== 0)
    throw invalidFieldInParameterList(0, 'LIST ID USAGE says that there is no list identifier');
  return undefined;
}

/**
 * Check and decode a parameter list as a whole, before anything of it takes effect.
 * @throws SenseError in the order in which the limits of SPC-4 6.5 are to be found
 */
export function parseCopyList(list: Uint8Array): CopyList {
  if (list.length < HEADER) throw parameterListLengthError(`${list.length} bytes are less than the header`);
  const listId = parseListId(list);
  const targetsLength = readUint16(list, 2);
  const segmentsLength = readUint32(list, 8);
  if (targetsLength + segmentsLength > copyLimits.descriptorBytes) {
    throw parameterListLengthError(`more than ${copyLimits.descriptorBytes} bytes of descriptors`);
  }
  const segmentsAt = HEADER + targetsLength;
  const end = segmentsAt + segmentsLength;
  if (end > list.length) {
    throw parameterListLengthError(`the list says ${end} bytes, ${list.length} came`);
  }
  if (readUint32(list, 12) !== 0) {
    throw illegalRequest(additionalSense.inlineDataLengthExceeded, 'there is no inline data', 12);
  }
  if (targetsLength % TARGET !== 0) throw invalidFieldInParameterList(2, 'CSCD descriptors have 32 bytes');
  const count = targetsLength / TARGET;
  if (count > copyLimits.targets) {
    throw illegalRequest(additionalSense.tooManyTargetDescriptors, `${count} CSCD descriptors`, 2);
  }
  const targets = Array.from({ length: count }, (_, index) => parseTarget(list, HEADER + index * TARGET));
  const segments: CopySegment[] = [];
  for (let at = segmentsAt; at < end; at += 4 + readUint16(list, at + 2)) {
    if (segments.length === copyLimits.segments) {
      throw illegalRequest(
        additionalSense.tooManySegmentDescriptors,
        `more than ${copyLimits.segments} segment descriptors`,
        8,
      );
    }
    segments.push(parseSegment(list, at, end, segments.length));
  }
  return { listId, targets, segments };
}
