import { readUint32, writeUint16, writeUint32, writeUint64 } from '../big-endian.js';
import type { CommandDefinition, Result } from '../command-definition.js';
import type { Nexus, ScsiCommand } from '../command.js';
import { copyDescriptor, copyLimits } from '../copy-limits.js';
import { copyStatus, type CopyOperation } from '../copy-operations.js';
import { fillDataIn } from '../data-transfer.js';
import { invalidFieldInCdb } from '../invalid-field.js';
import type { Unit } from '../unit.js';

/** TRANSFER COUNT UNITS (SPC-4 table 251). */
const countUnit = { kibibytes: 0x01, blocks: 0xf1 } as const;

/** ESTIMATED STATUS UPDATE DELAY in milliseconds: of an operation that runs, and the code for one that ended. */
const updateDelay = { running: 100, ended: 0xffff_fffe } as const;

/** The operation a command asks for. @throws SenseError where there is none */
function operationOf(unit: Unit, { cdb }: ScsiCommand, nexus: Nexus, width: 1 | 4): CopyOperation {
  const found = unit.copy.operations.find(nexus, width, listIdOf(cdb, width));
  if (!found) throw invalidFieldInCdb(2, 'no copy operation has this list identifier');
  return found;
}

function listIdOf(cdb: Uint8Array, width: 1 | 4): number {
  return width === 1 ? cdb[2] : readUint32(cdb, 2);
}

/** Put the data into Data-In, with AVAILABLE DATA in the first four bytes. */
function answer(command: ScsiCommand, data: Uint8Array): Result {
  writeUint32(data, 0, data.length - 4);
  return fillDataIn(command, data, readUint32(command.cdb, 10));
}

/** RECEIVE COPY STATUS(LID1) (SPC-4 6.25): of an operation that ended, once. */
export function receiveCopyStatusLid1(
  unit: Unit,
  command: ScsiCommand,
  _definition: CommandDefinition,
  nexus: Nexus,
): Result {
  const operation = operationOf(unit, command, nexus, 1);
  const data = new Uint8Array(12);
  if (!operation.running) data[4] = operation.status === copyStatus.completed ? 0x01 : 0x02;
  writeUint16(data, 5, operation.segments);
  data[7] = countUnit.kibibytes;
  writeUint32(data, 8, Math.floor(operation.bytes / 1024));
  // The failure's details are asked for after this, so that only a success is forgotten.
  if (operation.status === copyStatus.completed) unit.copy.operations.discard(nexus, 1, command.cdb[2]);
  return answer(command, data);
}

/** RECEIVE COPY DATA(LID1) (SPC-4 6.21): no segment descriptor that holds data is supported, so none is held. */
export function receiveCopyDataLid1(
  unit: Unit,
  command: ScsiCommand,
  _definition: CommandDefinition,
  nexus: Nexus,
): Result {
  const { running } = operationOf(unit, command, nexus, 1);
  if (running) throw invalidFieldInCdb(2, 'the copy operation is still running');
  return answer(command, new Uint8Array(4));
}

/** RECEIVE COPY OPERATING PARAMETERS (SPC-4 6.22). */
export function receiveCopyOperatingParameters(_unit: Unit, command: ScsiCommand): Result {
  const codes = Object.values(copyDescriptor);
  const data = new Uint8Array(44 + codes.length);
  data[4] = 0x01; // SNLID: a list may go without an identifier
  writeUint16(data, 8, copyLimits.targets);
  writeUint16(data, 10, copyLimits.segments);
  writeUint32(data, 12, copyLimits.descriptorBytes);
  writeUint32(data, 16, copyLimits.segmentBytes);
  writeUint16(data, 34, copyLimits.concurrent);
  data[36] = copyLimits.concurrent;
  data[43] = codes.length;
  data.set(codes, 44);
  return answer(command, data);
}

/** RECEIVE COPY FAILURE DETAILS(LID1) (SPC-4 6.23). */
export function receiveCopyFailureDetailsLid1(
  unit: Unit,
  command: ScsiCommand,
  _definition: CommandDefinition,
  nexus: Nexus,
): Result {
  const { running, status, completion, sense } = operationOf(unit, command, nexus, 1);
  if (running) throw invalidFieldInCdb(2, 'the copy operation is still running');
  if (status === copyStatus.completed) return answer(command, new Uint8Array(4));
  const held = sense ?? new Uint8Array();
  const data = new Uint8Array(60 + held.length);
  data[56] = completion;
  writeUint16(data, 58, held.length);
  data.set(held, 60);
  unit.copy.operations.discard(nexus, 1, command.cdb[2]);
  return answer(command, data);
}

/** What RECEIVE COPY STATUS(LID4) and RECEIVE ROD TOKEN INFORMATION have in common (SPC-4 table 248). */
function statusData({ blockSize }: Unit, operation: CopyOperation): Uint8Array {
  const { status, running, sense = new Uint8Array() } = operation;
  const senseField = Math.ceil(sense.length / 4) * 4;
  const data = new Uint8Array(32 + senseField);
  data[4] = operation.serviceAction;
  data[5] = status;
  writeUint16(data, 6, operation.transfers & 0xffff);
  writeUint32(data, 8, running ? updateDelay.running : updateDelay.ended);
  data[12] = operation.completion;
  data[13] = senseField;
  data[14] = sense.length;
  data[15] = countUnit.blocks;
  writeUint64(data, 16, Math.floor(operation.bytes / blockSize));
  data.set(sense, 32);
  return data;
}

/** RECEIVE COPY STATUS(LID4) (SPC-4 6.24), for the token commands: any number of times. */
export function receiveCopyStatusLid4(
  unit: Unit,
  command: ScsiCommand,
  _definition: CommandDefinition,
  nexus: Nexus,
): Result {
  return answer(command, statusData(unit, operationOf(unit, command, nexus, 4)));
}

/** RECEIVE ROD TOKEN INFORMATION (SPC-4 6.26): the status and, until it was fetched, the token that was made. */
export function receiveRodTokenInformation(
  unit: Unit,
  command: ScsiCommand,
  _definition: CommandDefinition,
  nexus: Nexus,
): Result {
  const operation = operationOf(unit, command, nexus, 4);
  const status = statusData(unit, operation);
  const { token } = operation;
  const descriptorLength = token && !operation.running ? 2 + token.length : 0;
  const data = new Uint8Array(status.length + 4 + descriptorLength);
  data.set(status);
  writeUint32(data, status.length, descriptorLength);
  if (descriptorLength > 0) data.set(token!, status.length + 6);
  const allocationLength = readUint32(command.cdb, 10);
  const fetched = allocationLength >= data.length && command.dataIn.byteLength >= data.length;
  if (!operation.running && (fetched || allocationLength === 0)) operation.token = undefined;
  return answer(command, data);
}
