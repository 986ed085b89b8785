// HOT PATH: checkCommand() runs for every command.
import type { CommandDefinition } from './command-definition.js';
import type { CommandSet } from './command-set.js';
import type { Nexus, ScsiCommand } from './command.js';
import { invalidFieldInCdb } from './invalid-field.js';
import { opcode } from './opcode.js';
import { additionalSense, senseKey, SenseError } from './sense.js';
import type { Unit } from './unit.js';

/** Why a unit does not have a command. */
export function unknownCommand(commands: CommandSet, { cdb }: ScsiCommand): SenseError {
  if (commands.hasServiceActions(cdb[0])) {
    const long = cdb[0] === opcode.variableLength;
    return invalidFieldInCdb(long ? 8 : 1, 'no such service action', long ? undefined : 4);
  }
  return new SenseError(
    senseKey.illegalRequest,
    additionalSense.invalidCommandOperationCode,
    'no such operation code',
    { field: { inCdb: true, byte: 0 } },
  );
}

/**
 * What every command is checked for, in the order SAM-5 5.14 and SPC-4 4.4 give.
 * @throws SenseError, or StatusError for a reservation conflict
 */
export function checkCommand(
  unit: Unit,
  command: ScsiCommand,
  definition: CommandDefinition,
  nexus: Nexus,
): void {
  const { cdb, cdbLength } = command;
  const { length } = definition.usage;
  if (!definition.ignoresUnitAttention && unit.attentions.pending(nexus)) {
    const code = unit.attentions.take(nexus);
    if (code !== undefined) throw new SenseError(senseKey.unitAttention, code, 'unit attention');
  }
  if (unit.reservations.active) unit.reservations.check(definition, cdb, nexus);
  if (cdbLength < length) {
    throw new SenseError(
      senseKey.illegalRequest,
      additionalSense.invalidFieldInCdb,
      `the CDB has ${cdbLength} of ${length} bytes`,
    );
  }
  // CONTROL is the last byte, but for variable length CDBs.
  let control = length - 1;
  if (cdb[0] === opcode.variableLength) {
    control = 1;
    if (cdb[7] !== length - 8) throw invalidFieldInCdb(7, `ADDITIONAL CDB LENGTH is not ${length - 8}`);
  }
  if ((cdb[control] & 0x04) !== 0) throw invalidFieldInCdb(control, 'NACA is not supported', 2);
  if (unit.background.deferring && !definition.ignoresUnitAttention) {
    const deferred = unit.background.takeDeferred(nexus);
    if (deferred) throw deferred;
  }
  if (unit.portGroups !== undefined && !unit.portGroups.allActive) unit.portGroups.check(definition, nexus);
  if (definition.medium && !unit.medium.ready) unit.medium.access(cdb[0] !== opcode.testUnitReady);
  if (unit.background.blocking) unit.background.check(definition);
}
