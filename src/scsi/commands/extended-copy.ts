import { readUint32 } from '../big-endian.js';
import type { CommandDefinition, Result } from '../command-definition.js';
import { deviceType } from '../command-definition.js';
import type { Nexus, ScsiCommand } from '../command.js';
import { checkCopyAccess } from '../copy-access.js';
import { copyBytes } from '../copy-blocks.js';
import { copyLimits } from '../copy-limits.js';
import {
  COPY_LIST_LIMIT,
  parseCopyList,
  type CopyList,
  type CopySegment,
  type CopyTarget,
} from '../copy-list.js';
import { CopyOperation } from '../copy-operations.js';
import { takeDataOut } from '../data-transfer.js';
import { toSenseError } from '../errno.js';
import { parameterListLengthError } from '../invalid-field.js';
import { serviceAction } from '../opcode.js';
import { additionalSense, senseKey, SenseError } from '../sense.js';
import type { Unit } from '../unit.js';

/** What a segment descriptor was found to be wrong with, or failed with. */
function copyAborted(code: number, message: string, { index }: CopySegment, cause?: unknown): SenseError {
  return new SenseError(senseKey.copyAborted, code, message, { commandSpecific: index, cause });
}

/** The unit and the CSCD descriptor a segment descriptor refers to. */
function resolve(
  unit: Unit,
  targets: readonly CopyTarget[],
  index: number,
  segment: CopySegment,
): { unit: Unit; pad: boolean } {
  if (index >= targets.length) {
    throw copyAborted(additionalSense.unreachableCopyTarget, `no CSCD descriptor ${index}`, segment);
  }
  const target = targets[index];
  const found = unit.copy.manager.find(target.designator, unit);
  if (!found) {
    throw copyAborted(
      additionalSense.copyTargetDeviceNotReachable,
      `CSCD descriptor ${index} names a logical unit that is not here`,
      segment,
    );
  }
  const blockLengthFits = target.blockLength === 0 || target.blockLength === found.blockSize;
  if (target.deviceType !== deviceType.directAccess || !blockLengthFits) {
    throw copyAborted(
      additionalSense.incorrectCopyTargetDeviceType,
      `CSCD descriptor ${index} describes another kind of unit than is there`,
      segment,
    );
  }
  return { unit: found, pad: target.pad };
}

/** A range of a unit from `lba` and `byte` on. @throws SenseError where it is not all there */
function rangeOf(
  { blockSize, blocks }: Unit,
  lba: number,
  byte: number,
  length: number,
  segment: CopySegment,
): { offset: number; length: number } {
  const offset = lba * blockSize + byte;
  if (byte >= blockSize || offset + length > blocks * blockSize) {
    throw copyAborted(
      additionalSense.none,
      `${length} bytes from block ${lba} on are not all there`,
      segment,
    );
  }
  return { offset, length };
}

/** Bytes from `end` to the next block. */
function residual({ blockSize }: Unit, end: number): number {
  return (blockSize - (end % blockSize)) % blockSize;
}

async function copySegment(
  unit: Unit,
  targets: readonly CopyTarget[],
  segment: CopySegment,
  operation: CopyOperation,
  nexus: Nexus,
  signal: AbortSignal,
): Promise<void> {
  const from = resolve(unit, targets, segment.source, segment);
  const to = resolve(unit, targets, segment.destination, segment);
  const blockLength = { sourceBlocks: from.unit.blockSize, destinationBlocks: to.unit.blockSize, bytes: 1 };
  const length = segment.amount * blockLength[segment.unit];
  if (length > copyLimits.segmentBytes) {
    throw copyAborted(
      additionalSense.invalidFieldInParameterList,
      `${length} bytes are more than a segment may have`,
      segment,
    );
  }
  const { sourceByte, destinationByte } = segment;
  const source = rangeOf(from.unit, segment.sourceLba, sourceByte, length, segment);
  const destination = rangeOf(to.unit, segment.destinationLba, destinationByte, length, segment);
  const padding = residual(to.unit, destination.offset + length);
  const inexact = padding !== 0 || residual(from.unit, source.offset + length) !== 0;
  if (inexact && (segment.concatenate || (!from.pad && !to.pad))) {
    throw copyAborted(
      additionalSense.unexpectedInexactSegment,
      `${length} bytes do not end with a block of both units`,
      segment,
    );
  }
  checkCopyAccess(from.unit, nexus, 'read');
  checkCopyAccess(to.unit, nexus, 'write');
  await copyBytes(
    { unit: from.unit, extents: [source] },
    0,
    { unit: to.unit, offset: destination.offset, length: length + padding, copied: length },
    operation,
    signal,
  );
}

/** What a failure of either unit means to who asked for the copy: COPY ABORTED (SPC-4 5.17.7.4). */
function toCopyAborted(error: unknown, segment: CopySegment): unknown {
  const known = toSenseError(error, 'write');
  if (!known || known.key === senseKey.copyAborted || known.key === senseKey.abortedCommand) return error;
  return copyAborted(additionalSense.thirdPartyDeviceFailure, known.message, segment, error);
}

async function copySegments(
  unit: Unit,
  { targets, segments }: CopyList,
  operation: CopyOperation,
  nexus: Nexus,
  signal: AbortSignal,
): Promise<void> {
  for (const segment of segments) {
    operation.segments++;
    try {
      await copySegment(unit, targets, segment, operation, nexus, signal);
    } catch (error) {
      throw toCopyAborted(error, segment);
    }
  }
}

/**
 * EXTENDED COPY(LID1) (SPC-4 6.5): block to block copies between the logical units of a copy manager. Segment
 * descriptors are processed in order; where one fails, those before it have been copied.
 */
export function extendedCopy(
  unit: Unit,
  command: ScsiCommand,
  _definition: CommandDefinition,
  nexus: Nexus,
): Result {
  const length = readUint32(command.cdb, 10);
  if (length === 0) return;
  if (length > COPY_LIST_LIMIT) {
    throw parameterListLengthError(`${length} bytes are more than ${COPY_LIST_LIMIT}`);
  }
  const list = parseCopyList(takeDataOut(command, length));
  const { copy } = unit;
  const action = serviceAction.extendedCopyLid1;
  const operation =
    list.listId === undefined
      ? new CopyOperation(action)
      : copy.operations.begin(nexus, 1, list.listId, action);
  const { signal } = command.context;
  return copy.run(operation, () => copySegments(unit, list, operation, nexus, signal));
}
