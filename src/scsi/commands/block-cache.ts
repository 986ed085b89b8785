import type { CommandDefinition, Result } from '../command-definition.js';
import type { Nexus, ScsiCommand } from '../command.js';
import { isPromise } from '../data-transfer.js';
import type { Unit } from '../unit.js';
import { checkRange } from './block-io.js';

/** IMMED: answer when the CDB has been found in order. */
const IMMED = 0x02;

/**
 * SYNCHRONIZE CACHE(10), (16) (SBC-3 5.21). The whole cache is flushed, whatever the range. With IMMED the flush
 * goes on after the answer, and a failure of it is told as a deferred error.
 */
export function synchronizeCache(
  unit: Unit,
  command: ScsiCommand,
  definition: CommandDefinition,
  nexus: Nexus,
): Result {
  const { cdb, context } = command;
  // 0 blocks means to the end of the medium (SBC-3 5.21).
  checkRange(unit, definition.address!.lba(cdb), definition.address!.blocks(cdb));
  if ((cdb[1] & IMMED) === 0) {
    context.fua = context.dpo = false;
    return unit.disk.flush?.(context);
  }
  // Not the command's context: that ends with it.
  const own = { fua: false, dpo: false, signal: new AbortController().signal };
  const flushed = unit.disk.flush?.(own);
  if (isPromise(flushed)) unit.background.detach(Promise.resolve(flushed), nexus);
}

/**
 * PRE-FETCH(10), (16) (SBC-3 5.5). A disk is not asked to cache anything, so that this ends as for a cache without
 * room for the range: GOOD, not CONDITION MET.
 */
export function preFetch(unit: Unit, command: ScsiCommand, definition: CommandDefinition): Result {
  const { cdb } = command;
  checkRange(unit, definition.address!.lba(cdb), definition.address!.blocks(cdb));
}
