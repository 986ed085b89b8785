import type { CommandDefinition } from './command-definition.js';
import type { Nexus } from './command.js';
import type { CommandContext } from './disk.js';
import { toSenseError } from './errno.js';
import { opcode } from './opcode.js';
import { additionalSense, senseKey, SenseError } from './sense.js';

/** Operations that take the medium for themselves and go on after their command was answered. */
export type BackgroundKind = 'format' | 'sanitize';

/** What an operation is given. */
export interface BackgroundTask {
  /** The operation's own, not the command's: aborting the command leaves the operation alone (SBC-3 4.11.1). */
  readonly context: CommandContext;
  /** Tell how far it is. @param done from 0 to 1 */
  readonly progress: (done: number) => void;
}

const inProgress = {
  format: additionalSense.logicalUnitNotReadyFormatInProgress,
  sanitize: additionalSense.logicalUnitNotReadySanitizeInProgress,
} as const;

const failure = {
  format: additionalSense.mediumFormatCorrupted,
  sanitize: additionalSense.sanitizeCommandFailed,
} as const;

interface Running {
  readonly kind: BackgroundKind;
  readonly controller: AbortController;
  readonly finished: Promise<void>;
  done: number;
}

/** Whether a command may run although the medium is taken, or not in order (SBC-3 4.11.2, 4.33). */
function needsNoMedium({ direction, medium, reservation }: CommandDefinition): boolean {
  return direction === 'in' && (!medium || reservation === 'always');
}

/**
 * What a logical unit does besides its commands: one FORMAT UNIT or SANITIZE at a time, which keeps the others
 * off the medium, and flushes whose command was answered at once.
 */
export class Background {
  #running: Running | undefined;
  #failed: { readonly kind: BackgroundKind; readonly exitAllowed: boolean } | undefined;
  readonly #detached = new Set<Promise<void>>();
  readonly #deferred = new Map<Nexus, SenseError>();
  /** There is something `check` has to look at. */
  blocking = false;
  /** Some nexus is to be told of a deferred error. */
  deferring = false;

  /** The operation that runs. */
  get running(): BackgroundKind | undefined {
    return this.#running?.kind;
  }

  /** How far it is, 0 to 65535 (SPC-4 4.5.2.4.4); undefined where none runs. */
  get progress(): number | undefined {
    return this.#running && Math.min(0xffff, Math.floor(this.#running.done * 0x1_0000));
  }

  /**
   * Begin an operation. One that fails leaves the medium unusable until another succeeds.
   * @param exitAllowed that state may also be left by SANITIZE, EXIT FAILURE MODE
   * @returns settles when the operation has ended; it may be ignored
   * @throws SenseError where one runs already
   */
  start(
    kind: BackgroundKind,
    job: (task: BackgroundTask) => Promise<void>,
    exitAllowed = false,
  ): Promise<void> {
    if (this.#running) throw this.condition()!;
    const controller = new AbortController();
    const context: CommandContext = { fua: false, dpo: false, signal: controller.signal };
    const progress = (done: number): void => {
      if (this.#running === running) running.done = Math.max(running.done, Math.min(1, done));
    };
    const finished = Promise.resolve()
      .then(() => job({ context, progress }))
      .then(
        () => this.#end(undefined),
        (error: unknown) => {
          this.#end({ kind, exitAllowed });
          throw error;
        },
      );
    finished.catch(() => undefined);
    const running: Running = { kind, controller, finished, done: 0 };
    this.#running = running;
    this.blocking = true;
    return finished;
  }

  #end(failed: { kind: BackgroundKind; exitAllowed: boolean } | undefined): void {
    this.#running = undefined;
    this.#failed = failed;
    this.blocking = failed !== undefined;
  }

  /** What commands that need the medium, and REQUEST SENSE, are to be told; undefined where all is in order. */
  condition(): SenseError | undefined {
    if (this.#running) {
      const { kind } = this.#running;
      return new SenseError(senseKey.notReady, inProgress[kind], `${kind} in progress`, {
        progress: this.progress,
      });
    }
    if (!this.#failed) return undefined;
    const { kind } = this.#failed;
    return new SenseError(senseKey.mediumError, failure[kind], `the last ${kind} failed`);
  }

  /** @throws SenseError where the command has to wait, or the medium is not usable */
  check(definition: CommandDefinition): void {
    if (needsNoMedium(definition)) return;
    const repairs = definition.opcode === opcode.sanitize || definition.opcode === opcode.formatUnit;
    if (!this.#running && repairs) return;
    const condition = this.condition();
    if (condition) throw condition;
  }

  /**
   * SANITIZE, EXIT FAILURE MODE (SBC-3 4.11.1).
   * @returns false where the failed command did not allow it
   */
  exitFailure(): boolean {
    if (!this.#failed || this.#running) return true;
    if (!this.#failed.exitAllowed) return false;
    this.#end(undefined);
    return true;
  }

  /** Whether a failed SANITIZE asks to be followed by one with the same restriction. */
  get restricted(): boolean {
    return this.#failed?.kind === 'sanitize' && !this.#failed.exitAllowed;
  }

  /** Let `done` go on after its command was answered; a failure is told to `nexus` as a deferred error. */
  detach(done: Promise<void>, nexus: Nexus): void {
    const guarded = done
      .catch((error: unknown) => this.#defer(nexus, error))
      .finally(() => this.#detached.delete(guarded));
    this.#detached.add(guarded);
  }

  #defer(nexus: Nexus, error: unknown): void {
    const { key, code, message } =
      toSenseError(error, 'write') ??
      new SenseError(senseKey.hardwareError, additionalSense.internalTargetFailure, 'the handler failed');
    this.#deferred.set(nexus, new SenseError(key, code, message, { deferred: true, cause: error }));
    this.deferring = true;
  }

  /** The deferred error that a nexus has not been told (SPC-4 4.5.7). Telling clears it. */
  takeDeferred(nexus: Nexus): SenseError | undefined {
    const error = this.#deferred.get(nexus);
    this.#deferred.delete(nexus);
    this.deferring = this.#deferred.size > 0;
    return error;
  }

  /** Forget what a nexus that is gone was to be told. */
  forget(nexus: Nexus): void {
    this.takeDeferred(nexus);
  }

  /** Abort what runs and wait for its end. Never rejects. */
  async stop(): Promise<void> {
    const running = this.#running;
    running?.controller.abort(new DOMException('the logical unit is closing', 'AbortError'));
    await Promise.allSettled([running?.finished, ...this.#detached]);
  }
}
