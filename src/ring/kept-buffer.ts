/** Keeps a command's buffer after its completion, until it is released. */
export interface Hold {
  /** The buffer is not used any more. Idempotent. */
  release(): void;
}

/** Who frees the buffer of a command that was completed with KEEP_BUF. */
export interface BufferOwner {
  /**
   * Absent where buffers cannot be kept.
   * @param commandId its cmd_id stays reserved until this is called
   */
  readonly releaseBuffer?: ((commandId: number) => void) | undefined;
}

/** The buffer of one command, with the holds on it. */
export class KeptBuffer {
  readonly #owner: BufferOwner;
  #holds = 0;
  /** cmd_id, once the command was completed with KEEP_BUF; 0 before, and where it was completed without. */
  #keptId = 0;

  constructor(owner: BufferOwner) {
    this.#owner = owner;
  }

  get held(): boolean {
    return this.#holds > 0;
  }

  hold(): Hold {
    this.#holds++;
    let released = false;
    return {
      release: () => {
        if (released) return;
        released = true;
        this.#holds--;
        if (this.#holds > 0 || this.#keptId === 0) return;
        const id = this.#keptId;
        this.#keptId = 0;
        this.#owner.releaseBuffer?.(id);
      },
    };
  }

  /** The command was completed with KEEP_BUF: from now on the last release frees it. */
  kept(commandId: number): void {
    this.#keptId = commandId;
  }
}
