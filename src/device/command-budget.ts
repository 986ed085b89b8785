import type { CommandRing } from '../ring/command-ring.js';
import type { RingCommand } from '../ring/ring-command.js';

/**
 * What becomes of a command that takes longer than its budget, once it was reported. `wait`: nothing. `abort`: its
 * handler is told by `context.signal`. `fail`: that, and it is answered if the handler does not listen. `restart`: the
 * handler is told, and if it does not listen, whatever serves the device is started anew.
 */
export type TimeoutPolicy = 'wait' | 'abort' | 'fail' | 'restart';

/** What happens to a command whose budget is over. */
export interface BudgetActions {
  /** Somebody should know. @param budgets how many budgets it has taken: 1, 2, 4, 8 … */
  report?(command: RingCommand, budgets: number): void;
  /** Tell the handler. */
  abort(command: RingCommand): void;
  /** It did not listen: answer the command. */
  expire(command: RingCommand): void;
  /** It did not listen: start whatever serves the device anew. Without it `restart` is `fail`. */
  restart?(command: RingCommand): void;
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
  readonly #policy: TimeoutPolicy;
  readonly #interval: number;
  readonly #ages = new Map<RingCommand, { generation: number; sweeps: number }>();
  #timer: NodeJS.Timeout | undefined;

  /** @param budget milliseconds */
  constructor(ring: CommandRing, budget: number, actions: BudgetActions, policy: TimeoutPolicy = 'fail') {
    this.#ring = ring;
    this.#actions = actions;
    this.#policy = policy;
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
      } else {
        age.sweeps++;
        this.#judge(command, age.sweeps);
      }
    }
  }

  #judge(command: RingCommand, sweeps: number): void {
    const budgets = sweeps / SWEEPS;
    if (budgets === 1) {
      this.#actions.report?.(command, budgets);
      if (this.#policy !== 'wait') this.#actions.abort(command);
    } else if (budgets > 1 && (this.#policy === 'fail' || this.#policy === 'restart')) {
      this.#ages.delete(command);
      if (this.#policy === 'restart' && this.#actions.restart) this.#actions.restart(command);
      else this.#actions.expire(command);
    } else if (budgets > 1 && Number.isInteger(Math.log2(budgets))) {
      this.#actions.report?.(command, budgets);
    }
  }
}
