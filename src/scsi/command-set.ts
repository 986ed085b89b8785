// HOT PATH: `find` runs for every command.
import type { CommandDefinition } from './command-definition.js';
import { opcode as operationCode } from './opcode.js';

/** Dispatch: the commands one logical unit has, by operation code and service action. */
export class CommandSet {
  /** In the order of the table. */
  readonly definitions: readonly CommandDefinition[];
  /** Those without service actions by operation code; `instanceof` to tell them from maps would cost each command. */
  readonly #plain = new Array<CommandDefinition | undefined>(256).fill(undefined);
  readonly #withActions = new Array<Map<number, CommandDefinition> | undefined>(256).fill(undefined);

  constructor(definitions: readonly CommandDefinition[]) {
    this.definitions = definitions;
    for (const definition of definitions) this.#add(definition);
  }

  #add(definition: CommandDefinition): void {
    const { opcode, serviceAction, name } = definition;
    const taken = this.#plain[opcode] !== undefined;
    const actions = this.#withActions[opcode];
    if (serviceAction === undefined) {
      if (taken || actions) throw new Error(`operation code ${opcode.toString(16)}h of ${name} is taken`);
      this.#plain[opcode] = definition;
      return;
    }
    if (taken || actions?.has(serviceAction)) {
      throw new Error(`service action ${serviceAction.toString(16)}h of ${name} is taken`);
    }
    if (actions) actions.set(serviceAction, definition);
    else this.#withActions[opcode] = new Map([[serviceAction, definition]]);
  }

  /** Whether the operation code has service actions; undefined where the unit does not have it at all. */
  hasServiceActions(opcode: number): boolean | undefined {
    if (this.#plain[opcode]) return false;
    return this.#withActions[opcode] ? true : undefined;
  }

  /** @param serviceAction looked at only where the operation code has service actions; 5 bits, or 16 with 7Fh */
  find(opcode: number, serviceAction: number): CommandDefinition | undefined {
    const action = opcode === operationCode.variableLength ? serviceAction : serviceAction & 0x1f;
    return this.#plain[opcode] ?? this.#withActions[opcode]?.get(action);
  }

  /** The command that a CDB asks for. Variable length CDBs keep their service action in bytes 8 and 9 (SPC-4 4.2.3). */
  decode(cdb: Uint8Array): CommandDefinition | undefined {
    const plain = this.#plain[cdb[0]];
    if (plain !== undefined) return plain;
    const long = cdb[0] === operationCode.variableLength;
    return this.#withActions[cdb[0]]?.get(long ? (cdb[8] << 8) | cdb[9] : cdb[1] & 0x1f);
  }
}
