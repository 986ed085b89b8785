import type { RecoveryOutcome } from './resumption.js';
import type { RingCommand } from './ring-command.js';
import type { RingError } from './ring-error.js';

/** What a ring's owner is told; every call comes from the event loop's turn that found it. */
export interface RingListener {
  /** A command. Its complete() may be called before this returns, or at any time later. */
  onCommand(command: RingCommand): void;
  /**
   * A task management function (attribute tmr_notification): these commands were aborted towards the
   * initiator. They still have to be completed.
   * @param type one of `tmrType`
   */
  onTaskManagement?(type: number, commandIds: readonly number[]): void;
  /**
   * A command is being answered, in its handler's stead too; called before anything of it is used again. Must not
   * throw.
   */
  onAnswer?(command: RingCommand, status: number, sense: Uint8Array | undefined): void;
  /** Nothing more comes. Called once. */
  onBroken(error: RingError): void;
  /** The handler needs the buffer of a command that was completed no more. Without it handlers cannot hold any. */
  readonly onRelease?: (commandId: number) => void;
  /** The verb of a command that had been answered with expire() is done with its buffer. */
  onLateCompletion?(command: RingCommand): void;
  /**
   * A command that must not run twice, and had begun to when its consumer was lost: it is to be completed with an
   * error. Default: CHECK CONDITION without sense data.
   */
  onInterrupted?(command: RingCommand): void;
  /** Of a ring with a journal, from start(), before the first command. */
  onRecovery?(outcome: RecoveryOutcome): void;
}
