import type { CommandRing } from '../ring/command-ring.js';
import type { RingCommand } from '../ring/ring-command.js';

/** What happens to a command whose budget is over. */
export interface BudgetActions {
  /** Tell the handler. */
  abort(command: RingCommand): void;
  /** It did not listen: answer the command. */
  expire(command: RingCommand): void;
}

/** Sweeps in one budget: a command is noticed at most 1/8 of its budget late. */
const SWEEPS = 8;

/**
 * Watches the age of a ring's unfinished commands. Ages are counted in sweeps of one timer, so that a command
 * costs nothing when it starts and nothing when it ends in time.
 */
export class CommandBudget {
  readonly #ring: CommandRing;
  readonly #actions: BudgetActions;
  readonly #interval: number;
  readonly #ages = new Map<RingCommand, { generation: number; sweeps: number }>();
  #timer: NodeJS.Timeout | undefined;

  /** @param budget milliseconds */
  constructor(ring: CommandRing, budget: number, actions: BudgetActions) {
    this.#ring = ring;
    this.#actions = actions;
    this.#interval = Math.max(1, budget / SWEEPS);
  }

  start(): void {
    this.#timer ??= setInterval(() => this.#sweep(), this.#interval).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#ages.clear();
  }

  #sweep(): void {
    if (this.#ring.inFlight === 0) {
      this.#ages.clear();
      return;
    }
    const running = new Set(this.#ring.commands());
    for (const command of this.#ages.keys()) if (!running.has(command)) this.#ages.delete(command);
    for (const command of running) {
      const age = this.#ages.get(command);
      if (age?.generation !== command.generation) {
        this.#ages.set(command, { generation: command.generation, sweeps: 0 });
      } else if (++age.sweeps === SWEEPS) {
        this.#actions.abort(command);
      } else if (age.sweeps > SWEEPS) {
        this.#ages.delete(command);
        this.#actions.expire(command);
      }
    }
  }
}
