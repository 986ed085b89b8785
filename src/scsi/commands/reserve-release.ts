import type { CommandDefinition, Result } from '../command-definition.js';
import type { Nexus, ScsiCommand } from '../command.js';
import { invalidFieldInCdb } from '../invalid-field.js';
import type { Unit } from '../unit.js';

/** Third parties and extents are obsolete, and were optional when they were not (SPC-2 7.21). */
function checkWholeUnit({ cdb }: ScsiCommand): void {
  if ((cdb[1] & 0x10) !== 0) throw invalidFieldInCdb(1, 'third-party reservations are not supported', 4);
  if ((cdb[1] & 0x01) !== 0) throw invalidFieldInCdb(1, 'extent reservations are not supported', 0);
}

/** RESERVE(6), (10) (SPC-2 7.21, 7.22). */
export function reserve(
  unit: Unit,
  command: ScsiCommand,
  _definition: CommandDefinition,
  nexus: Nexus,
): Result {
  checkWholeUnit(command);
  return unit.reservations.reserveUnit(nexus);
}

/** RELEASE(6), (10) (SPC-2 7.17, 7.18). */
export function release(
  unit: Unit,
  command: ScsiCommand,
  _definition: CommandDefinition,
  nexus: Nexus,
): Result {
  checkWholeUnit(command);
  return unit.reservations.releaseUnit(nexus);
}
