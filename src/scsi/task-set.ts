// HOT PATH: `mayStart` runs for every command; the rest only for those that do not end in the turn they came.
import type { Nexus, ScsiCommand } from './command.js';
import { scsiStatus } from './status.js';

/** A command that was received and has not ended. */
interface Task {
  readonly nexus: Nexus;
  /** Starts it. Taken away when it was started. */
  start?: () => void;
  /** What it will be answered with, whatever its verb says. */
  aborted?: boolean;
  /** Waits for it to end. */
  waiters?: (() => void)[];
}

/** Which commands are aborted, by whom, and what for. */
export interface Abortion {
  readonly reason: string;
  /** The nexus that asked for it. Undefined where none did (a reset by the transport). */
  readonly by?: Nexus;
  /** TAS of the control mode page: commands of other nexuses end with TASK ABORTED instead of in silence. */
  readonly reported: boolean;
}

/**
 * The task set of a logical unit (SAM-5 8): commands that wait for an ORDERED one, and commands whose verb has
 * not settled. One that ends in the turn in which it came is never in here.
 */
export class TaskSet {
  readonly #tasks = new Map<ScsiCommand, Task>();
  /** Commands in the set that must be ORDERED, and those held back by them: nothing simple may start. */
  #ordered = 0;
  /** Commands not started yet. */
  #held = 0;
  #starting = false;
  #again = false;
  /** Nothing may start. Counts as an ORDERED command, so that mayStart has no more to look at. */
  #paused = false;
  #whenPaused: (() => void)[] = [];

  /** Commands that have not ended. */
  get size(): number {
    return this.#tasks.size;
  }

  /** Whether a command may start at once (SAM-5 8.6). */
  mayStart(command: ScsiCommand): boolean {
    if (this.#ordered === 0 && command.attribute !== 'ordered') return true;
    return !this.#paused && (this.#tasks.size === 0 || command.attribute === 'headOfQueue');
  }

  /** Let no command start until resume(). @returns fulfilled when those that were started have ended */
  pause(): Promise<void> {
    if (!this.#paused) this.#ordered++;
    this.#paused = true;
    if (this.#tasks.size === this.#held) return Promise.resolve();
    return new Promise((resolve) => this.#whenPaused.push(resolve));
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#ordered--;
    // Nobody waits for a pause that is over.
    for (const wake of this.#whenPaused.splice(0)) wake();
    this.#startHeld();
  }

  /**
   * Keep a command back until those before it let it start.
   * @param start to be called then; it calls `add` where the command does not end in the same turn
   */
  hold(command: ScsiCommand, nexus: Nexus, start: () => void): void {
    this.#enter(command, { nexus, start });
  }

  /** A command was started and goes on. */
  add(command: ScsiCommand, nexus: Nexus): void {
    if (!this.#tasks.has(command)) this.#enter(command, { nexus });
  }

  /**
   * Abort the commands for which `matches` says so. Each still ends with one complete(), with the status TASK
   * ABORTED; whether an initiator is to see it, command.abort() is told.
   * @returns the nexuses they came over, and a promise that is fulfilled when all of them have ended
   */
  abort(
    matches: (command: ScsiCommand, nexus: Nexus) => boolean,
    { reason, by, reported }: Abortion,
  ): { nexuses: Set<Nexus>; done: Promise<unknown> } {
    const nexuses = new Set<Nexus>();
    const ends: Promise<void>[] = [];
    const unstarted: ScsiCommand[] = [];
    for (const [command, task] of [...this.#tasks]) {
      if (!matches(command, task.nexus)) continue;
      nexuses.add(task.nexus);
      ends.push(new Promise((resolve) => (task.waiters ??= []).push(resolve)));
      if (task.aborted) continue;
      task.aborted = true;
      if (task.start) unstarted.push(command);
      // By its name known for what it is, where the verb fails with it.
      const error = new DOMException(reason, 'AbortError');
      command.abort?.(error, !(reported && by !== undefined && task.nexus !== by));
    }
    for (const command of unstarted) this.answer(command, scsiStatus.taskAborted);
    return { nexuses, done: Promise.all(ends) };
  }

  /** Take a command out and answer it: with TASK ABORTED where it was aborted, whatever came of it. */
  answer(command: ScsiCommand, status: number, sense?: Uint8Array, readLength?: number): void {
    const task = this.#tasks.get(command);
    if (task) {
      this.#tasks.delete(command);
      if (command.attribute === 'ordered') this.#ordered--;
      if (task.start) this.#held--;
    }
    // From here on the object may be another command: transports use them again.
    if (task?.aborted) command.complete(scsiStatus.taskAborted);
    else command.complete(status, sense, readLength);
    task?.waiters?.forEach((wake) => wake());
    if (this.#paused) {
      if (this.#tasks.size === this.#held) for (const wake of this.#whenPaused.splice(0)) wake();
    } else if (this.#tasks.size > 0) {
      this.#startHeld();
    }
  }

  #enter(command: ScsiCommand, task: Task): void {
    this.#tasks.set(command, task);
    if (command.attribute === 'ordered') this.#ordered++;
    if (task.start) this.#held++;
  }

  /** Start, in the order they came, what is not held back any more. */
  #startHeld(): void {
    this.#again = true;
    // A command that is started and ends at once comes back here: a loop, not a stack as deep as the queue.
    if (this.#starting || (this.#ordered === 0 && this.#held === 0)) return;
    this.#starting = true;
    while (this.#again && !this.#paused) {
      this.#again = false;
      this.#startPass();
    }
    this.#starting = false;
  }

  #startPass(): void {
    let first = true;
    for (const [command, task] of [...this.#tasks]) {
      if (this.#paused) return;
      if (this.#tasks.get(command) !== task) continue;
      const ordered = command.attribute === 'ordered';
      if (task.start) {
        if (ordered && !first) return;
        const { start } = task;
        task.start = undefined;
        this.#held--;
        start();
        if (this.#tasks.get(command) !== task) continue;
      }
      if (ordered) return;
      first = false;
    }
  }
}
