// HOT PATH: drain() and finish() run for every command; they allocate nothing but views that are new.
import {
  COMMAND_ENTRY_MIN,
  header,
  mailbox,
  mailboxFlag,
  MAILBOX_VERSION,
  op,
  OP_ALIGN,
  OP_MASK,
  request,
  response,
  tmr,
  userFlag,
} from './abi.js';
import { cdbLengthAt } from './cdb-length.js';
import { EntryQueue } from './entry-queue.js';
import type { RingRegion } from './region.js';
import { RingCommand, type CommandOwner, type RingBuffer } from './ring-command.js';
import { RingError } from './ring-error.js';
import { SegmentCache } from './segment-cache.js';

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
  /** The verb of a command that had been answered with expire() is done with its buffer. */
  onLateCompletion?(command: RingCommand): void;
}

/** Batches taken in one turn before other work of the event loop gets its turn. */
const BATCHES_PER_TURN = 16;

/** The consumer of a TCMU command ring, ABI version 2 (drivers/target/target_core_user.c of Linux 6.1). */
export class CommandRing implements CommandOwner {
  readonly #region: RingRegion;
  readonly #listener: RingListener;
  readonly #bytes: Uint8Array;
  readonly #words: Uint32Array;
  readonly #segments: SegmentCache;
  readonly #flags: number;
  readonly #ringOffset: number;
  readonly #ringSize: number;
  /** The entries from #tail to #next. */
  readonly #entries = new EntryQueue();
  readonly #pool: RingCommand[] = [];
  readonly #running: (RingCommand | undefined)[] = [];
  readonly #idleWaiters: (() => void)[] = [];
  /** Byte offset in the ring of the next entry to fetch. */
  #next: number;
  /** Byte offset of the first entry that holds no response yet. */
  #tail: number;
  /** The tail as the kernel knows it. */
  #published: number;
  #inFlight = 0;
  #late = 0;
  #state: 'new' | 'running' | 'paused' | 'closed' = 'new';
  #draining = false;
  #scheduled: NodeJS.Immediate | undefined;
  #broken: RingError | undefined;

  /** @throws RingError where the region has no mailbox of version 2, or one that contradicts the region's size */
  constructor(region: RingRegion, listener: RingListener) {
    this.#region = region;
    this.#listener = listener;
    const { buffer } = region;
    if (buffer.byteLength < mailbox.size) throw badMailbox(`${buffer.byteLength} bytes are no mailbox`);
    this.#bytes = new Uint8Array(buffer);
    this.#words = new Uint32Array(buffer, 0, buffer.byteLength >>> 2);
    this.#segments = new SegmentCache(buffer);

    const version = this.#uint16(mailbox.version);
    this.#flags = this.#uint16(mailbox.flags);
    this.#ringOffset = this.#words[mailbox.ringOffset >> 2];
    this.#ringSize = this.#words[mailbox.ringSize >> 2];
    this.#tail = this.#words[mailbox.tail >> 2];
    this.#next = this.#published = this.#tail;
    if (version !== MAILBOX_VERSION) {
      throw badMailbox(`the kernel speaks version ${version} of the TCMU ABI, not ${MAILBOX_VERSION}`);
    }
    if ((this.#flags & mailboxFlag.outOfOrder) === 0) {
      throw badMailbox('the kernel takes no completions out of order (Linux 4.6 and later do)');
    }
    const end = this.#ringOffset + this.#ringSize;
    if (
      this.#ringOffset < mailbox.size ||
      this.#ringSize === 0 ||
      (this.#ringOffset | this.#ringSize) % OP_ALIGN !== 0 ||
      end > buffer.byteLength
    ) {
      throw badMailbox(
        `a ring of ${this.#ringSize} bytes at ${this.#ringOffset} is not inside ${buffer.byteLength} bytes`,
      );
    }
    if (this.#tail >= this.#ringSize || this.#tail % OP_ALIGN !== 0) {
      throw badMailbox(`tail ${this.#tail} is no entry of a ring of ${this.#ringSize} bytes`);
    }
  }

  /** Commands fetched and not answered yet. */
  get inFlight(): number {
    return this.#inFlight;
  }

  /** Commands answered with expire() whose verbs are not done. */
  get late(): number {
    return this.#late;
  }

  get broken(): RingError | undefined {
    return this.#broken;
  }

  /** The commands in flight. */
  *commands(): IterableIterator<RingCommand> {
    for (const command of this.#running) if (command) yield command;
  }

  find(commandId: number): RingCommand | undefined {
    return this.#running[commandId];
  }

  /** Fetch what waits on the ring, then each entry as it comes. */
  start(): void {
    this.#state = 'running';
    this.#region.onCommand((error) => {
      if (error) this.#break(new RingError('REGION_FAILED', error.message, { cause: error }));
      else this.#drain();
    });
    this.#drain();
  }

  /** Leave further entries on the ring. Those fetched go on. */
  pause(): void {
    if (this.#state !== 'closed') this.#state = 'paused';
  }

  resume(): void {
    if (this.#state !== 'paused') return;
    this.#state = 'running';
    this.#drain();
  }

  /** Resolves when nothing is in flight; at once where that is so now. */
  whenIdle(): Promise<void> {
    if (this.#inFlight === 0) return Promise.resolve();
    return new Promise((resolve) => this.#idleWaiters.push(resolve));
  }

  /** Publish what is complete and touch the region no more. Closing the region is the caller's. */
  close(): void {
    if (this.#state === 'closed') return;
    this.#publish();
    this.#state = 'closed';
    clearImmediate(this.#scheduled);
  }

  #drain(): void {
    if (this.#draining || this.#broken || this.#state !== 'running') return;
    this.#draining = true;
    try {
      for (let batch = 0; this.#fetchBatch(); batch++) {
        this.#publish();
        if (batch === BATCHES_PER_TURN) {
          setImmediate(() => this.#drain());
          return;
        }
      }
    } finally {
      this.#draining = false;
      // A batch that an owner cut short by throwing has completions too.
      this.#publish();
    }
  }

  /** Fetch all entries up to the head. @returns false where there was none */
  #fetchBatch(): boolean {
    if (this.#broken || this.#state !== 'running') return false;
    const head = this.#region.loadHead();
    if (head === this.#next) return false;
    if (head >= this.#ringSize || head % OP_ALIGN !== 0) {
      this.#break(badEntry(`head ${head} is no entry of a ring of ${this.#ringSize} bytes`));
      return false;
    }
    while (this.#next !== head && !this.#broken && this.#state === 'running') this.#fetch(head);
    return true;
  }

  /** Fetch the entry at #next. Everything is copied out now: a response may overwrite it at any time. */
  #fetch(head: number): void {
    const start = this.#next;
    const at = this.#ringOffset + start;
    const word = this.#words[at >> 2];
    const length = (word & ~OP_MASK) >>> 0;
    const limit = head > start ? head : this.#ringSize;
    if (length < header.size || length > limit - start) {
      return this.#break(badEntry(`the entry at ${start} says ${length} bytes, ${limit - start} are there`));
    }
    let command: RingCommand | undefined;
    switch (word & OP_MASK) {
      case op.command: {
        const result = this.#parse(at, length);
        if (result instanceof RingError) return this.#break(result);
        command = result;
        break;
      }
      case op.taskManagement:
        if (!this.#taskManagement(at, length)) return;
        break;
      default:
        // PAD, or an op that #skipToCommand answers when the tail gets there.
        break;
    }
    this.#entries.push(word);
    this.#next = (start + length) % this.#ringSize;
    if (command) this.#listener.onCommand(command);
    else if (this.#inFlight === 0) this.#skipToCommand();
  }

  #parse(at: number, length: number): RingCommand | RingError {
    const start = at - this.#ringOffset;
    if (length < COMMAND_ENTRY_MIN) return badEntry(`the command entry at ${start} has ${length} bytes`);
    const id = this.#uint16(at + header.commandId);
    if (id === 0 || this.#running[id]) {
      return badEntry(
        `the entry at ${start} has command id ${id}, which ${id === 0 ? 'is none' : 'runs already'}`,
      );
    }
    const words = this.#words;
    const iovCount = words[(at + request.iovCount) >> 2];
    const bidiCount = words[(at + request.bidiIovCount) >> 2];
    const iovEnd = request.iov + request.iovSize * (iovCount + bidiCount);
    if (iovEnd > length) {
      return badEntry(
        `the entry at ${start} says ${iovCount} + ${bidiCount} iovecs, more than ${length} bytes hold`,
      );
    }
    const cdbAt = words[(at + request.cdbOffset) >> 2];
    if (words[(at + request.cdbOffset + 4) >> 2] !== 0 || cdbAt < at + iovEnd || cdbAt >= at + length) {
      return badEntry(`the CDB of the entry at ${start} lies at ${cdbAt}, outside the entry`);
    }
    const command = this.#pool.pop() ?? new RingCommand(this);
    command.reset(id);
    const cdbLength = cdbLengthAt(this.#bytes, cdbAt, at + length - cdbAt);
    command.cdbLength = cdbLength;
    for (let index = 0; index < cdbLength; index++) command.cdb[index] = this.#bytes[cdbAt + index];
    command.bidirectional = bidiCount > 0;
    const error =
      this.#takeSegments(command.dataOut, at + request.iov, iovCount) ??
      this.#takeSegments(command.bidiDataIn, at + request.iov + request.iovSize * iovCount, bidiCount);
    if (error) return error;
    this.#running[id] = command;
    this.#inFlight++;
    return command;
  }

  #takeSegments(buffer: RingBuffer, at: number, count: number): RingError | undefined {
    const words = this.#words;
    for (let index = 0; index < count; index++, at += request.iovSize) {
      const word = at >> 2;
      // 64-bit fields; no BigInt: what does not fit 53 bits is outside any region.
      const base = words[word] + words[word + 1] * 0x1_0000_0000;
      const length = words[word + 2] + words[word + 3] * 0x1_0000_0000;
      if (base < this.#ringOffset + this.#ringSize || base + length > this.#bytes.length) {
        return badEntry(`an iovec of ${length} bytes at ${base} is outside the data area`);
      }
      if (length > 0) buffer.add(this.#segments.view(base, length));
    }
    return undefined;
  }

  #taskManagement(at: number, length: number): boolean {
    const count = this.#words[(at + tmr.commandCount) >> 2];
    if (length < tmr.commandIds || tmr.commandIds + 2 * count > length) {
      this.#break(badEntry(`a task management entry of ${length} bytes says ${count} command ids`));
      return false;
    }
    const ids = Array.from({ length: count }, (_, index) => this.#uint16(at + tmr.commandIds + 2 * index));
    this.#listener.onTaskManagement?.(this.#bytes[at + tmr.type], ids);
    return true;
  }

  /** CommandOwner: write a response into the entry at the tail, whosever request that was. */
  finish(
    command: RingCommand,
    status: number,
    sense: Uint8Array | undefined,
    readLength: number | undefined,
    keepBuffer: boolean,
  ): void {
    const expired = command.state === 'expired';
    this.#listener.onAnswer?.(command, status, sense);
    this.#running[command.id] = undefined;
    this.#inFlight--;
    if (expired) this.#late++;
    else command.state = 'free';
    if (!this.#broken && this.#state !== 'closed' && this.#skipToCommand()) {
      const at = this.#ringOffset + this.#tail;
      let flags = 0;
      if (readLength !== undefined && (this.#flags & mailboxFlag.readLength) !== 0) {
        flags |= userFlag.readLength;
      }
      command.keptBuffer = keepBuffer && (this.#flags & mailboxFlag.keepBuffer) !== 0;
      if (command.keptBuffer) flags |= userFlag.keepBuffer;
      this.#respond(at, command.id, flags, status, sense, readLength);
      this.#advanceTail();
      this.#skipToCommand();
    }
    if (!expired) this.#pool.push(command);
    this.#finished();
  }

  #respond(
    at: number,
    id: number,
    flags: number,
    status: number,
    sense: Uint8Array | undefined,
    readLength = 0,
  ): void {
    const bytes = this.#bytes;
    bytes[at + header.commandId] = id;
    bytes[at + header.commandId + 1] = id >> 8;
    bytes[at + header.userFlags] = flags;
    this.#words[(at + response.scsiStatus) >> 2] = status;
    this.#words[(at + response.readLength) >> 2] = readLength;
    if (sense) {
      const length = Math.min(sense.length, response.senseSize);
      for (let index = 0; index < length; index++) bytes[at + response.sense + index] = sense[index];
      bytes.fill(0, at + response.sense + length, at + response.sense + response.senseSize);
    }
  }

  #finished(): void {
    if (this.#inFlight === 0) for (const resolve of this.#idleWaiters.splice(0)) resolve();
    if (this.#draining) return;
    // The last one of a batch does not wait for others.
    if (this.#inFlight === 0) this.#publish();
    else this.#scheduled ??= setImmediate(() => this.#publish());
  }

  /** CommandOwner: a verb whose command was answered with expire() is done. */
  finishLate(command: RingCommand): void {
    command.state = 'free';
    this.#late--;
    this.#listener.onLateCompletion?.(command);
    this.#pool.push(command);
  }

  /**
   * Move the tail over fetched entries that take no response: PAD and TMR, and those of an unknown op, which are
   * marked. @returns whether it stands at a command's entry
   */
  #skipToCommand(): boolean {
    while (!this.#entries.isEmpty) {
      const operation = this.#entries.first & OP_MASK;
      if (operation === op.command) return true;
      if (operation !== op.pad && operation !== op.taskManagement) {
        this.#bytes[this.#ringOffset + this.#tail + header.userFlags] |= userFlag.unknownOp;
      }
      this.#advanceTail();
    }
    return false;
  }

  #advanceTail(): void {
    const length = (this.#entries.shift() & ~OP_MASK) >>> 0;
    this.#tail = (this.#tail + length) % this.#ringSize;
  }

  #publish(): void {
    clearImmediate(this.#scheduled);
    this.#scheduled = undefined;
    if (this.#tail === this.#published || this.#broken || this.#state === 'closed') return;
    this.#published = this.#tail;
    try {
      this.#region.storeTail(this.#tail);
      this.#region.kick();
    } catch (error) {
      this.#break(new RingError('REGION_FAILED', (error as Error).message, { cause: error }));
    }
  }

  #break(error: RingError): void {
    if (this.#broken) return;
    // What was answered before the bad entry is answered.
    if (error.code === 'BAD_ENTRY') this.#publish();
    // Which can itself have found the region gone.
    if (this.#broken) return;
    this.#broken = error;
    this.#listener.onBroken(error);
  }

  #uint16(at: number): number {
    return this.#bytes[at] | (this.#bytes[at + 1] << 8);
  }
}

function badMailbox(message: string): RingError {
  return new RingError('BAD_MAILBOX', `not a usable TCMU region: ${message}`);
}

function badEntry(message: string): RingError {
  return new RingError('BAD_ENTRY', `bad ring entry: ${message}`);
}
