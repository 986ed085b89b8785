import type { CommandDefinition, Result } from '../command-definition.js';
import type { Nexus, ScsiCommand } from '../command.js';
import { invalidFieldInCdb } from '../invalid-field.js';
import type { PowerCondition } from '../medium.js';
import { additionalSense, senseKey, SenseError } from '../sense.js';
import type { Unit } from '../unit.js';

/** POWER CONDITION of START STOP UNIT (SBC-3 table 103). FORCE values expire a timer at once; there are none. */
const powerConditions: Readonly<Record<number, PowerCondition>> = {
  0x1: 'active',
  0x2: 'idle',
  0x3: 'standby',
  0xa: 'idle',
  0xb: 'standby',
};

/** Byte 4 of START STOP UNIT. */
const flag = { start: 0x01, loej: 0x02, noFlush: 0x04 } as const;

function flush({ disk }: Unit, { context }: ScsiCommand): Result {
  context.fua = context.dpo = false;
  return disk.flush?.(context);
}

function loadOrEject(unit: Unit, command: ScsiCommand, load: boolean, nexus: Nexus): Result {
  const { medium } = unit;
  if (!medium.removable) throw invalidFieldInCdb(4, 'the medium is not removable', 1);
  if (medium.removalPrevented) {
    throw new SenseError(
      senseKey.illegalRequest,
      additionalSense.mediumRemovalPrevented,
      'an initiator prevents the removal of the medium',
    );
  }
  if (!load) {
    const wasLoaded = medium.loaded;
    medium.eject();
    return wasLoaded ? flush(unit, command) : undefined;
  }
  medium.power = 'active';
  if (medium.load()) unit.attentions.establish(additionalSense.notReadyToReadyChange, nexus);
}

/**
 * START STOP UNIT (SBC-3 5.20). IMMED makes no difference: nothing here takes long but a flush. A power condition
 * other than 0 makes START and LOEJ mean nothing; those that are reserved, or need a timer, change nothing.
 */
export function startStopUnit(
  unit: Unit,
  command: ScsiCommand,
  _definition: CommandDefinition,
  nexus: Nexus,
): Result {
  const { medium } = unit;
  const options = command.cdb[4];
  const flushes = (options & flag.noFlush) === 0;
  const condition = options >> 4;
  if (condition !== 0) {
    const power = powerConditions[condition];
    if (power !== undefined) medium.power = power;
    return flushes && power === 'standby' ? flush(unit, command) : undefined;
  }
  const start = (options & flag.start) !== 0;
  if ((options & flag.loej) !== 0) return loadOrEject(unit, command, start, nexus);
  if (start) {
    medium.power = 'active';
    return;
  }
  // A removable medium that was stopped and not ejected starts again when it is needed: as initiators expect of
  // drives with a tray.
  medium.power = medium.removable ? 'standby' : 'stopped';
  return flushes ? flush(unit, command) : undefined;
}

/** PREVENT ALLOW MEDIUM REMOVAL (SPC-4 6.18). */
export function preventAllowMediumRemoval(
  { medium }: Unit,
  { cdb }: ScsiCommand,
  _definition: CommandDefinition,
  nexus: Nexus,
): Result {
  const prevent = cdb[4] & 0x03;
  if (prevent > 1) throw invalidFieldInCdb(4, 'this PREVENT is obsolete', 1);
  medium.prevent(nexus, prevent === 1);
}
