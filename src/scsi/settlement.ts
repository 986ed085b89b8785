// HOT PATH: one for each command whose verb does not answer in the turn it was called in.
import type { CommandDefinition } from './command-definition.js';
import type { Nexus, ScsiCommand } from './command.js';

/** What becomes of a command when its executor's promise settles. */
export interface Outcomes {
  succeed(command: ScsiCommand, definition: CommandDefinition, nexus: Nexus, valid: number | void): void;
  fail(command: ScsiCommand, definition: CommandDefinition, nexus: Nexus, error: unknown): void;
}

/** A command that waits for a promise. Used again, as closures made for each command cost more than the rest of it. */
class Settlement {
  command!: ScsiCommand;
  definition!: CommandDefinition;
  nexus!: Nexus;
  readonly fulfilled: (valid: number | void) => void;
  readonly rejected: (error: unknown) => void;

  constructor(outcomes: Outcomes, pool: Settlement[]) {
    // Free at once: the outcome of one command may start the next.
    this.fulfilled = (valid): void => {
      const { command, definition, nexus } = this;
      pool.push(this);
      outcomes.succeed(command, definition, nexus, valid);
    };
    this.rejected = (error): void => {
      const { command, definition, nexus } = this;
      pool.push(this);
      outcomes.fail(command, definition, nexus, error);
    };
  }
}

/** The commands of a logical unit that wait for promises. */
export class Settlements {
  readonly #outcomes: Outcomes;
  readonly #pool: Settlement[] = [];

  constructor(outcomes: Outcomes) {
    this.#outcomes = outcomes;
  }

  /** Have one of the outcomes called when `result` settles. */
  await(
    command: ScsiCommand,
    definition: CommandDefinition,
    nexus: Nexus,
    result: Promise<number | void>,
  ): void {
    const settlement = this.#pool.pop() ?? new Settlement(this.#outcomes, this.#pool);
    settlement.command = command;
    settlement.definition = definition;
    settlement.nexus = nexus;
    // resolve() tames a thenable of the handler's, which might throw or settle twice.
    Promise.resolve(result).then(settlement.fulfilled, settlement.rejected);
  }
}
