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
  #command: ScsiCommand | undefined;
  #definition: CommandDefinition | undefined;
  #nexus: Nexus | undefined;
  readonly #pool: Settlement[];
  readonly fulfilled: (valid: number | void) => void;
  readonly rejected: (error: unknown) => void;

  constructor(outcomes: Outcomes, pool: Settlement[]) {
    this.#pool = pool;
    this.fulfilled = (valid): void => {
      const command = this.#command!;
      const definition = this.#definition!;
      const nexus = this.#nexus!;
      this.#free();
      outcomes.succeed(command, definition, nexus, valid);
    };
    this.rejected = (error): void => {
      const command = this.#command!;
      const definition = this.#definition!;
      const nexus = this.#nexus!;
      this.#free();
      outcomes.fail(command, definition, nexus, error);
    };
  }

  begin(command: ScsiCommand, definition: CommandDefinition, nexus: Nexus): void {
    this.#command = command;
    this.#definition = definition;
    this.#nexus = nexus;
  }

  /** Before the outcome, which may start the next command. What waits in the pool keeps no command's buffers. */
  #free(): void {
    this.#command = this.#definition = this.#nexus = undefined;
    this.#pool.push(this);
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
    settlement.begin(command, definition, nexus);
    // resolve() tames a thenable of the handler's, which might throw or settle twice.
    Promise.resolve(result).then(settlement.fulfilled, settlement.rejected);
  }
}
