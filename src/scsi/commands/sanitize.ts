import { readUint16 } from '../big-endian.js';
import type { BackgroundTask } from '../background.js';
import type { CommandDefinition, Result } from '../command-definition.js';
import type { ScsiCommand } from '../command.js';
import { takeDataOut } from '../data-transfer.js';
import { invalidFieldInCdb } from '../invalid-field.js';
import { fillMedium, onWholeMedium, zeroMedium } from '../whole-medium.js';
import type { Unit } from '../unit.js';
import { answerOf } from './background-answer.js';
import { checkWritable } from './block-io.js';

/** Byte 1 of the CDB (SBC-3 5.19). ZNR is for zoned devices, and reserved here. */
const flag = { immediate: 0x80, znr: 0x40, exitFailure: 0x20 } as const;

const PARAMETERS = 4;

interface Overwrite {
  readonly passes: number;
  readonly invert: boolean;
  /** One logical block. */
  readonly block: Uint8Array;
}

/** Bytes 2 to 6 are reserved, and looked at: what erases everything should be meant exactly. */
function checkReserved(cdb: Uint8Array): void {
  if ((cdb[1] & flag.znr) !== 0) throw invalidFieldInCdb(1, 'ZNR is for zoned devices', 6);
  for (let byte = 2; byte <= 6; byte++) {
    if (cdb[byte] !== 0) throw invalidFieldInCdb(byte, 'a reserved field is set');
  }
}

function checkNoParameters(cdb: Uint8Array): void {
  if (readUint16(cdb, 7) !== 0) throw invalidFieldInCdb(7, 'this service action has no parameter list');
}

/** The parameter list of OVERWRITE (SBC-3 table 78); what is wrong in it is told as an error of the CDB. */
function parseOverwrite({ blockSize }: Unit, command: ScsiCommand): Overwrite {
  const { cdb } = command;
  const length = readUint16(cdb, 7);
  if (length <= PARAMETERS || length > blockSize + PARAMETERS) {
    throw invalidFieldInCdb(7, `a parameter list has 5 to ${blockSize + PARAMETERS} bytes, not ${length}`);
  }
  const list = takeDataOut(command, length);
  const passes = list[0] & 0x1f;
  const patternLength = readUint16(list, 2);
  if (passes === 0) throw invalidFieldInCdb(7, 'OVERWRITE COUNT is 0');
  if ((list[0] & 0x60) !== 0) throw invalidFieldInCdb(7, 'tests are not supported');
  if (patternLength === 0 || patternLength > blockSize || patternLength > length - PARAMETERS) {
    throw invalidFieldInCdb(7, `an initialization pattern of ${patternLength} bytes is not there`);
  }
  const pattern = list.subarray(PARAMETERS, PARAMETERS + patternLength);
  const block = Uint8Array.from({ length: blockSize }, (_, at) => pattern[at % patternLength]);
  return { passes, invert: (list[0] & 0x80) !== 0, block };
}

async function overwrite(
  unit: Unit,
  { context, progress }: BackgroundTask,
  { passes, invert, block }: Overwrite,
): Promise<void> {
  for (let pass = 0; pass < passes; pass++) {
    const task: BackgroundTask = { context, progress: (done) => progress((pass + done) / passes) };
    const inverted = invert && pass % 2 === 1;
    await fillMedium(unit, task, inverted ? block.map((byte) => ~byte) : block);
    // Each pass has to reach the medium, not only the last one.
    if (pass + 1 < passes) await unit.disk.flush?.(context);
  }
}

function begin(unit: Unit, command: ScsiCommand, job: (task: BackgroundTask) => Promise<void>): Result {
  const [, flags] = command.cdb;
  const exitAllowed = (flags & flag.exitFailure) !== 0;
  if (exitAllowed && unit.background.restricted) {
    throw invalidFieldInCdb(1, 'the SANITIZE that failed did not set AUSE', 5);
  }
  const sanitized = unit.background.start(
    'sanitize',
    (task) => onWholeMedium(unit, task, () => job(task)),
    exitAllowed,
  );
  return (flags & flag.immediate) !== 0 ? undefined : answerOf(sanitized, command, unit);
}

/** SANITIZE, OVERWRITE (SBC-3 5.19.2.2). */
export function sanitizeOverwrite(unit: Unit, command: ScsiCommand): Result {
  checkReserved(command.cdb);
  checkWritable(unit);
  const request = parseOverwrite(unit, command);
  return begin(unit, command, (task) => overwrite(unit, task, request));
}

/** SANITIZE, BLOCK ERASE (SBC-3 5.19.2.3): zeroes, and deallocated. */
export function sanitizeBlockErase(unit: Unit, command: ScsiCommand): Result {
  checkReserved(command.cdb);
  checkNoParameters(command.cdb);
  checkWritable(unit);
  return begin(unit, command, (task) => zeroMedium(unit, task));
}

/** SANITIZE, CRYPTOGRAPHIC ERASE (SBC-3 5.19.2.4). */
export function sanitizeCryptographicErase(unit: Unit, command: ScsiCommand): Result {
  checkReserved(command.cdb);
  checkNoParameters(command.cdb);
  checkWritable(unit);
  return begin(unit, command, async ({ context }) => unit.disk.cryptoErase!(context));
}

/** SANITIZE, EXIT FAILURE MODE (SBC-3 5.19.2.5). */
export function sanitizeExitFailureMode(
  unit: Unit,
  command: ScsiCommand,
  _definition: CommandDefinition,
): Result {
  checkReserved(command.cdb);
  checkNoParameters(command.cdb);
  if (!unit.background.exitFailure()) {
    throw invalidFieldInCdb(1, 'the SANITIZE that failed did not set AUSE', 4);
  }
}
