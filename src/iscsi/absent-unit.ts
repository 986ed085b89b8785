import { readUint16, readUint32, writeUint32 } from '../scsi/big-endian.js';
import { opcode } from '../scsi/opcode.js';
import { encodeSense } from '../scsi/sense-data.js';
import { additionalSense, senseKey } from '../scsi/sense.js';
import { scsiStatus } from '../scsi/status.js';
import type { CommandTask } from './command-task.js';
import { encodeLun } from './lun.js';

/*
 * What a target answers itself: commands to a LUN that is not there (SPC-4 6.6.2, SAM-5 5.11), and REPORT LUNS where
 * there is more than LUN 0 to be reported.
 */

/** Peripheral qualifier 011b, device type 1Fh: no device can be there (SPC-4 table 142). */
const NO_DEVICE = 0x7f;
const STANDARD_INQUIRY_LENGTH = 36;

function fail(task: CommandTask, code: number): void {
  task.complete(scsiStatus.checkCondition, encodeSense(senseKey.illegalRequest, code, {}, 'fixed'));
}

/** @param allocationLength bytes */
function succeed(task: CommandTask, data: Uint8Array, allocationLength: number): void {
  task.transferLength = Math.min(data.length, allocationLength);
  let from = 0;
  for (const segment of task.dataIn.segments) {
    segment.set(data.subarray(from, Math.min(from + segment.length, task.transferLength)));
    from += segment.length;
  }
  task.complete(scsiStatus.good, undefined, Math.min(task.transferLength, task.dataIn.byteLength));
}

/** Answer a command to a LUN that is not there. */
export function answerForAbsentUnit(task: CommandTask): void {
  const { cdb } = task;
  if (cdb[0] === opcode.inquiry && (cdb[1] & 0x01) === 0 && cdb[2] === 0) {
    const data = new Uint8Array(STANDARD_INQUIRY_LENGTH);
    data[0] = NO_DEVICE;
    data[2] = 0x06;
    data[3] = 0x02;
    data[4] = STANDARD_INQUIRY_LENGTH - 5;
    data.fill(0x20, 8);
    succeed(task, data, readUint16(cdb, 3));
  } else if (cdb[0] === opcode.requestSense) {
    const code = additionalSense.logicalUnitNotSupported;
    succeed(task, encodeSense(senseKey.illegalRequest, code, {}, 'fixed'), cdb[4]);
  } else {
    fail(task, additionalSense.logicalUnitNotSupported);
  }
}

/** SELECT REPORT (SPC-4 table 295) values that ask for ordinary logical units. */
const ORDINARY = new Set([0x00, 0x02]);
const WELL_KNOWN = 0x01;

/** REPORT LUNS (SPC-4 6.33) over all logical units of a target. */
export function reportLuns(task: CommandTask, luns: Iterable<number>): void {
  const { cdb } = task;
  const allocationLength = readUint32(cdb, 6);
  if (allocationLength < 16 || (!ORDINARY.has(cdb[2]) && cdb[2] !== WELL_KNOWN)) {
    fail(task, additionalSense.invalidFieldInCdb);
    return;
  }
  const listed = ORDINARY.has(cdb[2]) ? [...luns].sort((a, b) => a - b) : [];
  const data = new Uint8Array(8 + 8 * listed.length);
  writeUint32(data, 0, 8 * listed.length);
  listed.forEach((lun, index) => encodeLun(lun, data, 8 + 8 * index));
  succeed(task, data, allocationLength);
}
