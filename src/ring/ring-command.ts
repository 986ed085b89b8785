// HOT PATH: commands are pooled; nothing here allocates unless a handler asks for the signal or a hold.
import { KeptBuffer, type BufferOwner, type Hold } from './kept-buffer.js';

/** Buffers of one direction, filled anew for each command: begin(), add() for each, end(). */
export class RingBuffer {
  readonly segments: Uint8Array[] = [];
  byteLength = 0;
  #count = 0;

  begin(): void {
    this.#count = 0;
    this.byteLength = 0;
  }

  add(segment: Uint8Array): void {
    this.segments[this.#count++] = segment;
    this.byteLength += segment.length;
  }

  end(): void {
    // An array that is emptied loses its memory, and the next segment would allocate it again: so only where the
    // number changes, which it seldom does.
    if (this.segments.length !== this.#count) this.segments.length = this.#count;
  }
}

/** What a handler's verb is told about its command; the signal is made when it is first asked for. */
export class RingContext {
  fua = false;
  dpo = false;
  #controller: AbortController | undefined;
  #reason: Error | undefined;
  #buffer: KeptBuffer | undefined;
  readonly #owner: BufferOwner;
  readonly #hold = (): Hold => (this.#buffer ??= new KeptBuffer(this.#owner)).hold();

  constructor(owner: BufferOwner) {
    this.#owner = owner;
  }

  /** Keep the command's buffer after its completion; undefined where that cannot be. */
  get hold(): (() => Hold) | undefined {
    return this.#owner.releaseBuffer ? this.#hold : undefined;
  }

  /** Somebody holds the buffer. */
  get held(): boolean {
    return this.#buffer !== undefined && this.#buffer.held;
  }

  /** The command was completed with KEEP_BUF while it was held: from now on the last release frees it. */
  kept(commandId: number): void {
    this.#buffer?.kept(commandId);
  }

  get signal(): AbortSignal {
    if (!this.#controller) {
      this.#controller = new AbortController();
      if (this.#reason) this.#controller.abort(this.#reason);
    }
    return this.#controller.signal;
  }

  abort(reason: Error): void {
    this.#reason ??= reason;
    this.#controller?.abort(this.#reason);
  }

  reset(): void {
    this.fua = this.dpo = false;
    this.#controller = undefined;
    this.#reason = undefined;
    this.#buffer = undefined;
  }
}

/** The ring a command answers to. */
export interface CommandOwner extends BufferOwner {
  finish(
    command: RingCommand,
    status: number,
    sense: Uint8Array | undefined,
    readLength: number | undefined,
    keepBuffer: boolean,
  ): void;
  finishLate(command: RingCommand): void;
}

/** The longest CDB of SPC-4: 7Fh with an additional length of 252. */
export const MAX_CDB = 260;

/**
 * One SCSI command taken off the ring. The object is used again for later commands, so nothing of it may be
 * touched after complete().
 */
export class RingCommand {
  /** cmd_id: 1 to 65535. */
  id = 0;
  readonly cdb = new Uint8Array(MAX_CDB);
  cdbLength = 0;
  /** Set by the logical unit; the kernel has no use for it. Here so that commands keep one shape. */
  transferLength = 0;
  /** Set by the device: the thread's clock when it began, in milliseconds; NaN where it is not measured. */
  startedAt = Number.NaN;
  readonly context: RingContext;
  /** Data-Out. The kernel does not tell the direction: without BIDI the same buffer is given as Data-In. */
  readonly dataOut = new RingBuffer();
  readonly bidiDataIn = new RingBuffer();
  bidirectional = false;
  /** Grows each time the object begins another command. */
  generation = 0;
  /** Where it stands: waiting in the pool, not answered yet, or answered in its handler's stead. */
  state: 'free' | 'running' | 'expired' = 'free';
  /** Answered with KEEP_BUF: data area and cmd_id stay reserved until action/free_kept_buf. */
  keptBuffer = false;
  /** Where its entry begins in the ring; -1 once that was overwritten with another command's response. */
  position = 0;
  /** Where the journal has that entry's copy; -1 where it has none. */
  savedAt = -1;
  readonly #owner: CommandOwner;

  constructor(owner: CommandOwner) {
    this.#owner = owner;
    this.context = new RingContext(owner);
  }

  get dataIn(): RingBuffer {
    return this.bidirectional ? this.bidiDataIn : this.dataOut;
  }

  /** Begin a new command. */
  reset(id: number): void {
    this.id = id;
    this.generation++;
    this.state = 'running';
    this.keptBuffer = false;
    this.bidirectional = false;
    this.context.reset();
    this.dataOut.begin();
    this.bidiDataIn.begin();
  }

  /** Tell the handler, through the context's signal, that nobody waits for the outcome. It still completes. */
  abort(reason: Error): void {
    this.context.abort(reason);
  }

  /**
   * Answer. A call after expire() only says that the verb is done with the buffer; one more is ignored.
   * @param status SAM-5 status code
   * @param sense at most 96 bytes, copied
   * @param readLength valid bytes of Data-In, where fewer than the buffer holds
   * @param keepBuffer keep data area and cmd_id reserved (KEEP_BUF), where the kernel can
   */
  complete(status: number, sense?: Uint8Array, readLength?: number, keepBuffer = false): void {
    if (this.state === 'running') {
      this.#owner.finish(this, status, sense, readLength, keepBuffer || this.context.held);
    } else if (this.state === 'expired') this.#owner.finishLate(this);
  }

  /**
   * Answer in the handler's stead. The object stays out of the pool until its complete() comes, because a verb
   * still uses it.
   */
  expire(status: number, sense?: Uint8Array, keepBuffer = false): void {
    if (this.state !== 'running') return;
    this.state = 'expired';
    this.#owner.finish(this, status, sense, undefined, keepBuffer);
  }
}
