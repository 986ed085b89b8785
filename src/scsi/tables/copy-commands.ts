import type { CommandDefinition } from '../command-definition.js';

/** Third-party copy: EXTENDED COPY and the token commands (SPC-4 5.17, SBC-3 4.28). */
export const copyCommands: readonly CommandDefinition[] = [];
