// HOT PATH: runs for every command.
import { readUint16, readUint32 } from '../scsi/big-endian.js';
import type { TaskAttribute } from '../scsi/command.js';
import { MAX_CDB, type CommandTask } from './command-task.js';
import { decodeLun } from './lun.js';
import { BHS_LENGTH, FINAL, IMMEDIATE } from './pdu.js';

/** Byte 1 of a SCSI Command PDU (RFC 7143 11.3.1). */
const READ = 0x40;
const WRITE = 0x20;

/** ATTR; what is reserved is taken as simple. */
const attributes: readonly TaskAttribute[] = [
  'simple',
  'simple',
  'ordered',
  'headOfQueue',
  'aca',
  'simple',
  'simple',
  'simple',
];

/** AHSType (RFC 7143 11.2.2.1). */
const ahsType = { extendedCdb: 1, bidirectionalReadLength: 2 } as const;

/**
 * Fill a task from a SCSI Command PDU.
 * @returns false where the PDU contradicts itself
 */
export function decodeCommand(task: CommandTask, bytes: Buffer, at: number, ahsLength: number): boolean {
  const flags = bytes[at + 1];
  task.itt = readUint32(bytes, at + 16);
  task.cmdSn = readUint32(bytes, at + 24);
  task.immediate = (bytes[at] & IMMEDIATE) !== 0;
  task.lun = decodeLun(bytes, at + 8);
  task.reads = (flags & READ) !== 0;
  task.writes = (flags & WRITE) !== 0;
  task.attribute = attributes[flags & 0x07];
  const { cdb } = task;
  for (let index = 0; index < 16; index++) cdb[index] = bytes[at + 32 + index];
  const expected = readUint32(bytes, at + 20);
  task.expectedLength = task.writes ? expected : 0;
  task.expectedReadLength = task.reads && !task.writes ? expected : 0;
  // Without Data-Out there is no unsolicited data to wait for.
  if ((flags & FINAL) === 0 && !task.writes) return false;
  return (
    ahsLength === 0 || decodeAdditionalHeaders(task, bytes, at + BHS_LENGTH, at + BHS_LENGTH + ahsLength)
  );
}

function decodeAdditionalHeaders(task: CommandTask, bytes: Buffer, start: number, end: number): boolean {
  let at = start;
  while (at + 4 <= end) {
    const length = readUint16(bytes, at);
    const type = bytes[at + 2] & 0x3f;
    // AHSLength counts from the byte after AHSType, the reserved one included.
    const next = at + ((3 + length + 3) & ~3);
    if (length === 0 || next > end) return false;
    if (type === ahsType.extendedCdb) {
      const extra = length - 1;
      if (task.cdbLength > 16 || 16 + extra > MAX_CDB) return false;
      task.cdb.set(bytes.subarray(at + 4, at + 4 + extra), 16);
      task.cdbLength = 16 + extra;
    } else if (type === ahsType.bidirectionalReadLength) {
      if (length !== 5 || !task.reads || !task.writes) return false;
      task.expectedReadLength = readUint32(bytes, at + 4);
    }
    at = next;
  }
  return at === end;
}
