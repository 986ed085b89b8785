/** A command as an observer sees it; the object is used again once it is completed. */
export interface ObservedCommand {
  readonly cdb: Uint8Array;
  readonly cdbLength: number;
  /** Bytes the command transferred, set by the logical unit where it knows. */
  readonly transferLength: number | undefined;
  /** The observer's own. */
  startedAt: number;
}

/** Told of each command that a target's logical units are given. */
export interface CommandObserver {
  started(command: ObservedCommand): void;
  /** Once for each that was started. @param sense with CHECK CONDITION */
  completed(command: ObservedCommand, status: number, sense: Uint8Array | undefined): void;
}
