import { readUint16, readUint32, writeUint24 } from '../big-endian.js';
import { deviceType, type CommandDefinition, type Result } from '../command-definition.js';
import type { Nexus, ScsiCommand } from '../command.js';
import { copyDescriptor, tokenLimits } from '../copy-limits.js';
import { designatorsOf } from '../copy-manager.js';
import { parseRanges, RANGES_LIMIT } from '../copy-ranges.js';
import { rodType } from '../copy-token.js';
import { takeDataOut } from '../data-transfer.js';
import { invalidFieldInParameterList, parameterListLengthError } from '../invalid-field.js';
import { serviceAction } from '../opcode.js';
import type { Unit } from '../unit.js';

const HEADER = 16;
const RANGES_LENGTH_AT = 14;

const flag = { rtv: 0x02 } as const;

/** Point in time copies that tokens made here can stand for. */
const acceptedTypes: ReadonlySet<number> = new Set([
  rodType.pointInTimeDefault,
  rodType.pointInTimeChangeVulnerable,
  rodType.pointInTimeAny,
]);

/** The unit's identification CSCD descriptor (SPC-4 6.4.5.2): CREATOR LOGICAL UNIT DESCRIPTOR of its tokens. */
function creatorDescriptor(unit: Unit): Uint8Array {
  const descriptor = new Uint8Array(32);
  descriptor[0] = copyDescriptor.identification;
  descriptor[1] = deviceType.directAccess;
  const designator = designatorsOf(unit).find(({ value }) => value.length <= 20);
  if (designator) {
    descriptor[4] = designator.codeSet;
    descriptor[5] = designator.type;
    descriptor[7] = designator.value.length;
    descriptor.set(designator.value, 8);
  }
  writeUint24(descriptor, 29, unit.blockSize);
  return descriptor;
}

/** INACTIVITY TIMEOUT and ROD TYPE. @returns seconds */
function parseHeader(list: Uint8Array): number {
  if (list.length < HEADER) throw parameterListLengthError(`${list.length} bytes are less than the header`);
  if (readUint16(list, 0) < 0x1e) throw invalidFieldInParameterList(0, 'the data length is less than 30');
  const timeout = readUint32(list, 4);
  if (timeout > tokenLimits.maximumTimeout) {
    throw invalidFieldInParameterList(4, `${timeout} s are more than ${tokenLimits.maximumTimeout} s`);
  }
  if ((list[2] & flag.rtv) !== 0 && !acceptedTypes.has(readUint32(list, 8))) {
    throw invalidFieldInParameterList(8, 'this ROD type is not supported');
  }
  return timeout === 0 ? tokenLimits.defaultTimeout : timeout;
}

/**
 * POPULATE TOKEN (SBC-3 5.7): a ROD token that stands for the blocks as they are now, until one is written. It
 * is over at once with IMMED as well as without.
 */
export function populateToken(
  unit: Unit,
  command: ScsiCommand,
  _definition: CommandDefinition,
  nexus: Nexus,
): Result {
  const { cdb } = command;
  const { copy } = unit;
  const length = readUint32(cdb, 10);
  if (length === 0) return;
  const list = takeDataOut(command, Math.min(length, HEADER + RANGES_LIMIT));
  const seconds = parseHeader(list);
  const extents = parseRanges(unit, list, RANGES_LENGTH_AT);
  const operation = copy.operations.begin(nexus, 4, readUint32(cdb, 2), serviceAction.populateToken);
  // Before the wait for the locks, so that a write that comes meanwhile is known to change the data.
  const token = copy.createToken(extents, seconds, creatorDescriptor(unit));
  const answer = (): void => {
    operation.token = token.bytes.slice();
    operation.bytes = token.length;
  };
  const waits = extents.filter(() => !unit.locks.idle);
  return copy.run(operation, async () => {
    // Writes that are still going on belong to the point in time the token stands for.
    for (const { offset, length: bytes } of waits) {
      await unit.locks.run(offset, offset + bytes, true, () => undefined);
    }
    answer();
  });
}
