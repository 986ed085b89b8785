import { readUint16 } from '../big-endian.js';
import type { Result } from '../command-definition.js';
import type { ScsiCommand } from '../command.js';
import { fillDataIn, isPromise, takeDataOut } from '../data-transfer.js';
import { invalidFieldInCdb, invalidFieldInParameterList } from '../invalid-field.js';
import { additionalSense, senseKey, SenseError } from '../sense.js';
import type { Unit } from '../unit.js';

/** SELF-TEST CODE (SPC-4 table 303): those that run in the foreground. No results of others are kept. */
const selfTestCode = { none: 0, foregroundShort: 5, foregroundExtended: 6 } as const;

/** The one diagnostic page: a list of the pages (SPC-4 7.2.6). */
const SUPPORTED_PAGES = 0x00;

/** The test: one block can be read. */
function selfTest(unit: Unit, { context }: ScsiCommand): Result {
  unit.medium.access(true);
  const failed = (cause: unknown): never => {
    throw new SenseError(
      senseKey.hardwareError,
      additionalSense.logicalUnitFailedSelfTest,
      'the first block cannot be read',
      { cause },
    );
  };
  context.fua = context.dpo = false;
  try {
    const done = unit.disk.read(new Uint8Array(unit.blockSize), 0, context);
    return isPromise(done) ? Promise.resolve(done).catch(failed) : undefined;
  } catch (error) {
    return failed(error);
  }
}

/** SEND DIAGNOSTIC (SPC-4 6.42). */
export function sendDiagnostic(unit: Unit, command: ScsiCommand): Result {
  const { cdb } = command;
  const code = cdb[1] >> 5;
  const defaultTest = (cdb[1] & 0x04) !== 0;
  const length = readUint16(cdb, 3);
  if (defaultTest && code !== selfTestCode.none) {
    throw invalidFieldInCdb(1, 'SELFTEST and a self-test code exclude each other', 7);
  }
  const tests = defaultTest || code !== selfTestCode.none;
  if (tests && length > 0) throw invalidFieldInCdb(3, 'a self-test has no parameters');
  if (tests) {
    if (!defaultTest && code !== selfTestCode.foregroundShort && code !== selfTestCode.foregroundExtended) {
      throw invalidFieldInCdb(1, 'no self-test runs in the background', 7);
    }
    return selfTest(unit, command);
  }
  if (length === 0) return;
  if ((cdb[1] & 0x10) === 0) throw invalidFieldInCdb(1, 'PF must be 1: pages are in the standard format', 4);
  const list = takeDataOut(command, length);
  if (list[0] !== SUPPORTED_PAGES) throw invalidFieldInParameterList(0, 'no such diagnostic page');
  if (length !== 4 || list[2] !== 0 || list[3] !== 0) {
    throw invalidFieldInParameterList(2, 'this diagnostic page has no parameters');
  }
}

/** RECEIVE DIAGNOSTIC RESULTS (SPC-4 6.28): which pages there are. */
export function receiveDiagnosticResults(_unit: Unit, command: ScsiCommand): Result {
  const { cdb } = command;
  const pageCodeValid = (cdb[1] & 0x01) !== 0;
  if (pageCodeValid && cdb[2] !== SUPPORTED_PAGES) throw invalidFieldInCdb(2, 'no such diagnostic page');
  if (!pageCodeValid && cdb[2] !== 0) throw invalidFieldInCdb(2, 'a page code needs PCV');
  return fillDataIn(command, Uint8Array.of(SUPPORTED_PAGES, 0, 0, 1, SUPPORTED_PAGES), readUint16(cdb, 3));
}
