/*
 * The command table: dispatch, REPORT SUPPORTED OPERATION CODES, the list in the documentation and the fuzzer
 * are all derived from it. A command that is not here ends with 05/20/00.
 */
import type { CommandDefinition } from './command-definition.js';
import { blockCommands } from './tables/block-commands.js';
import { copyCommands } from './tables/copy-commands.js';
import { mediumCommands } from './tables/medium-commands.js';
import { primaryCommands } from './tables/primary-commands.js';
import { reservationCommands } from './tables/reservation-commands.js';
import { variableLengthCommands } from './tables/variable-length-commands.js';

/** Every command, in the order of operation code and service action. */
export const commandTable: readonly CommandDefinition[] = [
  ...primaryCommands,
  ...blockCommands,
  ...mediumCommands,
  ...variableLengthCommands,
  ...reservationCommands,
  ...copyCommands,
].sort((a, b) => a.opcode - b.opcode || (a.serviceAction ?? 0) - (b.serviceAction ?? 0));
