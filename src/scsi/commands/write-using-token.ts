import { readUint16, readUint32, readUint64 } from '../big-endian.js';
import type { CommandDefinition, Result } from '../command-definition.js';
import type { Nexus, ScsiCommand } from '../command.js';
import { checkCopyAccess } from '../copy-access.js';
import { copyBytes, zeroBytes, type CopySource } from '../copy-blocks.js';
import { copyStatus, type CopyOperation } from '../copy-operations.js';
import { parseRanges, RANGES_LIMIT } from '../copy-ranges.js';
import {
  checkTokenLength,
  invalidToken,
  isZeroToken,
  TOKEN_LENGTH,
  type ByteExtent,
  type RodToken,
} from '../copy-token.js';
import { takeDataOut } from '../data-transfer.js';
import { invalidFieldInParameterList, parameterListLengthError } from '../invalid-field.js';
import { serviceAction } from '../opcode.js';
import { additionalSense } from '../sense.js';
import type { Unit } from '../unit.js';
import { checkWritable } from './block-io.js';

const TOKEN_AT = 16;
const RANGES_LENGTH_AT = 534;
const HEADER = 536;

/** Byte 2 of the parameter list (SBC-3 5.48.2). */
const flag = { delTkn: 0x02, immed: 0x01 } as const;

/** One range of blocks to be written, and where in the token's data its bytes begin. */
interface Piece extends ByteExtent {
  /** Bytes into the token's data. */
  readonly skip: number;
  /** Bytes that the token stands for; the rest of the last block is zeroes. */
  readonly copied: number;
}

/** Share the token's data out over the ranges: as many whole blocks as there are data for. */
function share(ranges: readonly ByteExtent[], offset: number, available: number, blockSize: number): Piece[] {
  const pieces: Piece[] = [];
  let skip = offset;
  for (const range of ranges) {
    const left = available - skip;
    if (left <= 0) break;
    const length = Math.min(range.length, Math.ceil(left / blockSize) * blockSize);
    pieces.push({ offset: range.offset, length, skip, copied: Math.min(length, left) });
    skip += length;
  }
  return pieces;
}

/** @throws SenseError where the command would write what it is to read, which no order of copying does right */
function checkApart(unit: Unit, token: RodToken, pieces: readonly Piece[]): void {
  if (token.unit !== unit) return;
  if (!pieces.some(({ offset, length }) => token.overlaps(offset, offset + length))) return;
  throw invalidToken(
    additionalSense.invalidTokenOperation,
    'the blocks to be written are among those the ROD token stands for',
  );
}

/** What is to be written, when all of the command was checked. */
type Job = (operation: CopyOperation, signal: AbortSignal) => Promise<void>;

function zeroJob(unit: Unit, ranges: readonly ByteExtent[]): Job {
  return async (operation, signal) => {
    for (const range of ranges) await zeroBytes(unit, range, operation, signal);
  };
}

function tokenJob(unit: Unit, list: Uint8Array, ranges: readonly ByteExtent[], nexus: Nexus): Job {
  const { tokens } = unit.copy.manager;
  const token = tokens.find(list.subarray(TOKEN_AT, TOKEN_AT + TOKEN_LENGTH));
  const offset = readUint64(list, 8) * unit.blockSize;
  if (offset >= token.length) throw invalidFieldInParameterList(8, 'the offset is past the end of the ROD');
  const pieces = share(ranges, offset, token.length, unit.blockSize);
  checkApart(unit, token, pieces);
  checkCopyAccess(token.unit, nexus, 'read');
  const requested = ranges.reduce((sum, { length }) => sum + length, 0);
  const source: CopySource = { unit: token.unit, extents: token.extents, check: () => token.check() };
  return async (operation, signal) => {
    for (const { skip, copied, ...range } of pieces) {
      await copyBytes(source, skip, { unit, ...range, copied }, operation, signal);
      tokens.touch(token);
    }
    if (operation.bytes < requested) operation.status = copyStatus.partialToken;
    if ((list[2] & flag.delTkn) !== 0) token.deleted = true;
  };
}

/**
 * WRITE USING TOKEN (SBC-3 5.48): write what a ROD token of any logical unit of the copy manager stands for. All
 * is checked before the answer, with IMMED as well.
 */
export function writeUsingToken(
  unit: Unit,
  command: ScsiCommand,
  _definition: CommandDefinition,
  nexus: Nexus,
): Result {
  const { cdb, context } = command;
  const { copy } = unit;
  const length = readUint32(cdb, 10);
  if (length === 0) return;
  const list = takeDataOut(command, Math.min(length, HEADER + RANGES_LIMIT));
  if (list.length < HEADER) throw parameterListLengthError(`${list.length} bytes are less than the header`);
  if (readUint16(list, 0) < 0x226) throw invalidFieldInParameterList(0, 'the data length is less than 550');
  checkWritable(unit);
  const tokenBytes = list.subarray(TOKEN_AT, TOKEN_AT + TOKEN_LENGTH);
  checkTokenLength(tokenBytes);
  const ranges = parseRanges(unit, list, RANGES_LENGTH_AT);
  const job = isZeroToken(tokenBytes) ? zeroJob(unit, ranges) : tokenJob(unit, list, ranges, nexus);
  const operation = copy.operations.begin(nexus, 4, readUint32(cdb, 2), serviceAction.writeUsingToken);
  if ((list[2] & flag.immed) !== 0) {
    copy.runInBackground(operation, (signal) => job(operation, signal));
    return;
  }
  const { signal } = context;
  return copy.run(operation, () => job(operation, signal));
}
