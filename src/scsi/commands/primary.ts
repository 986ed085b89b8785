import { readUint32, writeUint32 } from '../big-endian.js';
import type { CommandDefinition, Result } from '../command-definition.js';
import type { Nexus, ScsiCommand } from '../command.js';
import { fillDataIn } from '../data-transfer.js';
import { invalidFieldInCdb } from '../invalid-field.js';
import { encodeSense } from '../sense-data.js';
import { additionalSense, senseKey } from '../sense.js';
import type { Unit } from '../unit.js';

/** TEST UNIT READY (SPC-4 6.49): what makes a unit not ready is checked for every command. */
export function testUnitReady(): Result {}

/**
 * REQUEST SENSE (SPC-4 6.39): a pending unit attention, which this clears, an operation in the
 * background and how far it is, a low power condition, or nothing.
 */
export function requestSense(
  unit: Unit,
  command: ScsiCommand,
  _definition: CommandDefinition,
  nexus: Nexus,
): Result {
  const { cdb } = command;
  const attention = unit.attentions.pending(nexus) ? unit.attentions.take(nexus) : undefined;
  const format = (cdb[1] & 0x01) === 0 ? 'fixed' : 'descriptor';
  const running = attention === undefined ? unit.background.condition() : undefined;
  const key = attention === undefined ? (running?.key ?? senseKey.noSense) : senseKey.unitAttention;
  const code = attention ?? running?.code ?? unit.medium.condition ?? additionalSense.none;
  const sense = encodeSense(key, code, running?.details, format);
  return fillDataIn(command, sense, cdb[4]);
}

/** SELECT REPORT (SPC-4 table 295): what is listed is LUN 0, but for "well known logical units only". */
const selectReport = { all: 0x00, wellKnown: 0x01, allAccessible: 0x02 } as const;

/** REPORT LUNS (SPC-4 6.33). LIO answers it before it reaches the ring. */
export function reportLuns(_unit: Unit, command: ScsiCommand): Result {
  const { cdb } = command;
  if (cdb[2] > selectReport.allAccessible) throw invalidFieldInCdb(2, 'this SELECT REPORT is not supported');
  const allocationLength = readUint32(cdb, 6);
  if (allocationLength < 16) throw invalidFieldInCdb(6, 'the allocation length must be 16 or more');
  const listed = cdb[2] === selectReport.wellKnown ? 0 : 8;
  const data = new Uint8Array(8 + listed);
  writeUint32(data, 0, listed);
  return fillDataIn(command, data, allocationLength);
}
