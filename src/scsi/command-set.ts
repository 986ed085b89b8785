// HOT PATH: `find` runs for every command.
import type { CommandDefinition } from './command-definition.js';
import { opcode as operationCode } from './opcode.js';

/** Dispatch: the commands one logical unit has, by operation code and service action. */
export class CommandSet {
  /** In the order of the table. */
  readonly definitions: readonly CommandDefinition[];
  readonly #byOpcode: (CommandDefinition | Map<number, CommandDefinition> | undefined)[] =
    new Array<undefined>(256).fill(undefined);

  constructor(definitions: readonly CommandDefinition[]) {
    this.definitions = definitions;
    for (const definition of definitions) this.#add(definition);
  }

  #add(definition: CommandDefinition): void {
    const { opcode, serviceAction, name } = definition;
    const present = this.#byOpcode[opcode];
    if (serviceAction === undefined) {
      if (present) throw new Error(`operation code ${opcode.toString(16)}h of ${name} is taken`);
      this.#byOpcode[opcode] = definition;
      return;
    }
    const actions = present ?? new Map<number, CommandDefinition>();
    if (!(actions instanceof Map) || actions.has(serviceAction)) {
      throw new Error(`service action ${serviceAction.toString(16)}h of ${name} is taken`);
    }
    this.#byOpcode[opcode] = actions.set(serviceAction, definition);
  }

  /** Whether the operation code has service actions; undefined where the unit does not have it at all. */
  hasServiceActions(opcode: number): boolean | undefined {
    const entry = this.#byOpcode[opcode];
    return entry && entry instanceof Map;
  }

  /** @param serviceAction looked at only where the operation code has service actions; 5 bits, or 16 with 7Fh */
  find(opcode: number, serviceAction: number): CommandDefinition | undefined {
    const entry = this.#byOpcode[opcode];
    if (!(entry instanceof Map)) return entry;
    return entry.get(opcode === operationCode.variableLength ? serviceAction : serviceAction & 0x1f);
  }

  /** The command that a CDB asks for. Variable length CDBs keep their service action in bytes 8 and 9 (SPC-4 4.2.3). */
  decode(cdb: Uint8Array): CommandDefinition | undefined {
    const entry = this.#byOpcode[cdb[0]];
    if (!(entry instanceof Map)) return entry;
    return entry.get(cdb[0] === operationCode.variableLength ? (cdb[8] << 8) | cdb[9] : cdb[1] & 0x1f);
  }
}
