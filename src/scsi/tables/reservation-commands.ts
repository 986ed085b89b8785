import type { CommandDefinition } from '../command-definition.js';

/** Reservations: RESERVE, RELEASE, PERSISTENT RESERVE IN and OUT (SPC-4 5.13). */
export const reservationCommands: readonly CommandDefinition[] = [];
