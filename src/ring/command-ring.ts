// HOT PATH: drain() and finish() run for every command; they allocate nothing but views that are new.
import { header, mailbox, mailboxFlag, op, OP_ALIGN, OP_MASK, tmr } from './abi.js';
import { commandIdAt, EntryParser, uint16At } from './entry-parser.js';
import type { Journal } from './journal.js';
import { readMailbox } from './mailbox.js';
import { recover } from './recovery.js';
import type { RingRegion } from './region.js';
import type { Resumption } from './resumption.js';
import { RingCommand, type CommandOwner } from './ring-command.js';
import { badEntry, badMailbox, RingError } from './ring-error.js';
import { RingGroup, type GroupedRing } from './ring-group.js';
import type { RingListener } from './ring-listener.js';
import { RingTail } from './ring-tail.js';
import type { SavedEntry } from './saved-entries.js';

const CHECK_CONDITION = 0x02;

/** Entries that are fetched at once, so that other rings of the thread get their turn. */
const BATCH = 128;

/** cmd_head's index among the mailbox's words. */
const HEAD = mailbox.head >> 2;

/**
 * Bytes answered after which the kernel is told, though the batch goes on: to let it have them while the next ones are
 * copied gains more than a doorbell costs.
 */
const PUBLISHED_BYTES = 64 * 1024;

/** Cheaper than queueMicrotask(), which makes an AsyncResource. */
const nextMicrotask = Promise.resolve();

/** The consumer of a TCMU command ring, ABI version 2 (drivers/target/target_core_user.c of Linux 6.1). */
export class CommandRing implements CommandOwner, GroupedRing {
  /** Of a buffer kept with KEEP_BUF: where the kernel can, and somebody frees what was kept. */
  readonly releaseBuffer: ((commandId: number) => void) | undefined;
  readonly #region: RingRegion;
  readonly #listener: RingListener;
  readonly #bytes: Uint8Array;
  readonly #words: Uint32Array;
  readonly #parser: EntryParser;
  readonly #resumption: Resumption | undefined;
  readonly #journal: Journal | undefined;
  readonly #mailbox: Uint32Array;
  readonly #fetched: Uint32Array;
  readonly #ringOffset: number;
  readonly #ringSize: number;
  readonly #pool: RingCommand[] = [];
  readonly #running: (RingCommand | undefined)[] = [];
  readonly #idleWaiters: (() => void)[] = [];
  /** Byte offset in the ring of the next entry to fetch. */
  #next: number;
  /** What was fetched and is not answered. */
  readonly #tail: RingTail;
  /** The tail as the kernel knows it. */
  #published: number;
  #inFlight = 0;
  /** Bytes answered since the kernel was told the tail. */
  #unpublished = 0;
  #late = 0;
  #state: 'new' | 'running' | 'paused' | 'closed' = 'new';
  #draining = false;
  #scheduled: NodeJS.Immediate | undefined;
  readonly #group: RingGroup;
  readonly #drainMore = (): void => this.#group.drainMore(this);
  #broken: RingError | undefined;
  /** While start() takes up what an earlier consumer left: the commands found so far. */
  #resumed: RingCommand[] | undefined;

  /**
   * @param group the rings that are drained with this one, from start() to close(). Default: none.
   * @throws RingError where the region has no mailbox of version 2, or one that contradicts the region's size
   */
  constructor(region: RingRegion, listener: RingListener, resumption?: Resumption, group = new RingGroup()) {
    this.#group = group;
    this.#region = region;
    this.#listener = listener;
    this.#resumption = resumption;
    this.#journal = resumption?.journal;
    const { buffer } = region;
    if (buffer.byteLength < mailbox.size) throw badMailbox(`${buffer.byteLength} bytes are no mailbox`);
    this.#bytes = region.views?.bytes ?? new Uint8Array(buffer);
    this.#mailbox = new Uint32Array(buffer, 0, mailbox.size >>> 2);
    this.#fetched = region.fetched ?? new Uint32Array(1);
    this.#words = region.views?.words ?? new Uint32Array(buffer, 0, buffer.byteLength >>> 2);

    const { flags, ringOffset, ringSize, tail } = readMailbox(this.#bytes, this.#words);
    if ((flags & mailboxFlag.keepBuffer) !== 0) this.releaseBuffer = listener.onRelease;
    this.#ringOffset = ringOffset;
    this.#ringSize = ringSize;
    this.#next = this.#published = tail;
    const place = { bytes: this.#bytes, words: this.#words, ringOffset, ringSize };
    this.#tail = new RingTail(place, flags, tail, this.#journal, this.#running);
    this.#parser = new EntryParser(region, this.#ringOffset, this.#ringSize);
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

  /** Take up what an earlier consumer left, fetch what waits on the ring, then each entry as it comes. */
  start(): void {
    this.#state = 'running';
    if (this.#resumption) this.#recover(this.#resumption);
    if (this.#broken) return;
    this.#region.onCommand((error) => {
      if (error) this.#break(new RingError('REGION_FAILED', error.message, { cause: error }));
      else this.#group.drain();
    });
    this.#group.add(this);
    this.#group.drain();
  }

  /** Leave further entries on the ring. Those fetched go on. */
  pause(): void {
    if (this.#state !== 'closed') this.#state = 'paused';
  }

  resume(): void {
    if (this.#state !== 'paused') return;
    this.#state = 'running';
    this.#group.drain();
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
    this.#group.remove(this);
    clearImmediate(this.#scheduled);
  }

  /** GroupedRing: take what is on the ring, and publish what was answered at once. */
  drainBatch(): number {
    // A plain load: it only tells whether to look. One that orders what is read after it costs ten times as much.
    if (this.#mailbox[HEAD] === this.#next) return 0;
    if (this.#draining || this.#broken || this.#state !== 'running') return 0;
    this.#draining = true;
    try {
      return this.#fetchBatch();
    } finally {
      this.#draining = false;
      this.#fetched[0] = this.#next;
      // Of a batch that an owner cut short by throwing, too.
      this.#publish();
    }
  }

  /** @returns what was fetched already where the region is gone */
  #loadHead(): number {
    try {
      return Atomics.load(this.#mailbox, HEAD);
    } catch (error) {
      this.#break(new RingError('REGION_FAILED', (error as Error).message, { cause: error }));
      return this.#next;
    }
  }

  /** @returns how many entries there were */
  #fetchBatch(): number {
    const head = this.#loadHead();
    if (head === this.#next) return 0;
    if (head >= this.#ringSize || head % OP_ALIGN !== 0) {
      this.#break(badEntry(`head ${head} is no entry of a ring of ${this.#ringSize} bytes`));
      return 0;
    }
    let count = 0;
    while (this.#next !== head && count < BATCH && !this.#broken && this.#state === 'running') {
      this.#fetch(head);
      count++;
    }
    return count;
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
        if (this.#resumed && this.#journal?.isFinished(start)) break;
        command = this.#parse(at, length);
        if (command === undefined) return;
        break;
      }
      case op.taskManagement:
        if (!this.#taskManagement(at, length)) return;
        break;
      default:
        // PAD, or an op that is marked when the tail gets there.
        break;
    }
    this.#tail.push(word);
    this.#next = (start + length) % this.#ringSize;
    if (!command) {
      if (this.#inFlight === 0) this.#tail.skipToCommand();
    } else if (this.#resumed) this.#resumed.push(command);
    else this.#handOver(command);
  }

  #handOver(command: RingCommand): void {
    if (this.#resumption && !this.#resumption.isIdempotent(command.cdb)) this.#journal!.markStarted(command);
    this.#listener.onCommand(command);
  }

  #recover({ journal, resetRing }: Resumption): void {
    const head = this.#region.loadHead();
    const { tail } = mailbox;
    const recovery = recover(journal, {
      bytes: this.#bytes,
      words: this.#words,
      ringOffset: this.#ringOffset,
      ringSize: this.#ringSize,
      tail: this.#published,
      head,
    });
    if (recovery.kind === 'resume') return this.#resumeFrom(journal, recovery.tail, head, recovery.saved);
    if (recovery.kind === 'lost') {
      try {
        resetRing(recovery.reason);
      } catch (error) {
        return this.#break(new RingError('REGION_FAILED', (error as Error).message, { cause: error }));
      }
      this.#next = this.#published = this.#words[tail >> 2];
      this.#tail.moveTo(this.#next);
    }
    journal.format(this.#next);
    this.#listener.onRecovery?.(recovery.kind === 'fresh' ? recovery : { ...recovery, kind: 'reset' });
  }

  #resumeFrom(journal: Journal, tail: number, head: number, saved: readonly SavedEntry[]): void {
    this.#next = tail;
    this.#tail.moveTo(tail);
    // Also where the kernel has it: it may not have been told to look.
    this.#tellTail();
    const resumed = (this.#resumed = saved.map((entry) => this.#parseSaved(journal, entry)));
    // All of them first: to answer one takes an entry that was fetched.
    while (this.#next !== head && !this.#broken) this.#fetch(head);
    this.#resumed = undefined;
    if (this.#broken) return;
    const interrupted = resumed.filter((command) => journal.isStarted(command));
    this.#listener.onRecovery?.({
      kind: 'resumed',
      unfinished: resumed.length,
      interrupted: interrupted.length,
    });
    this.#draining = true;
    try {
      for (const command of resumed) {
        if (!interrupted.includes(command)) this.#handOver(command);
        else if (this.#listener.onInterrupted) this.#listener.onInterrupted(command);
        else command.complete(CHECK_CONDITION);
      }
    } finally {
      this.#draining = false;
      this.#publish();
    }
  }

  #parseSaved(journal: Journal, { at, length, position, chunk }: SavedEntry): RingCommand {
    const command = new RingCommand(this);
    const { bytes, words } = journal.saved;
    command.reset(commandIdAt(bytes, at));
    command.position = -1;
    command.savedAt = chunk;
    const error = this.#parser.parse(command, bytes, words, at, length, position);
    if (error) this.#break(error);
    this.#running[command.id] = command;
    this.#inFlight++;
    return command;
  }

  /** @returns undefined where the entry is bad, and the ring broken by now */
  #parse(at: number, length: number): RingCommand | undefined {
    const position = at - this.#ringOffset;
    const id = commandIdAt(this.#bytes, at);
    if (id === 0 || this.#running[id]) {
      const what = id === 0 ? 'is none' : 'runs already';
      this.#break(badEntry(`the entry at ${position} has command id ${id}, which ${what}`));
      return undefined;
    }
    const command = this.#pool.pop() ?? new RingCommand(this);
    command.reset(id);
    command.position = position;
    command.savedAt = -1;
    const error = this.#parser.parse(command, this.#bytes, this.#words, at, length, position);
    if (error) {
      this.#break(error);
      return undefined;
    }
    this.#running[id] = command;
    this.#inFlight++;
    return command;
  }

  #taskManagement(at: number, length: number): boolean {
    const count = this.#words[(at + tmr.commandCount) >> 2];
    if (length < tmr.commandIds || tmr.commandIds + 2 * count > length) {
      this.#break(badEntry(`a task management entry of ${length} bytes says ${count} command ids`));
      return false;
    }
    const ids = Array.from({ length: count }, (_, index) =>
      uint16At(this.#bytes, at + tmr.commandIds + 2 * index),
    );
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
    if (!this.#broken && this.#state !== 'closed') {
      this.#tail.answer(command, status, sense, readLength, keepBuffer);
      if (command.keptBuffer && !expired) command.context.kept(command.id);
    }
    this.#unpublished += command.transferLength;
    if (!expired) this.#pool.push(command);
    this.#finished();
  }

  #finished(): void {
    const idle = this.#inFlight === 0;
    if (idle && this.#idleWaiters.length > 0) for (const resolve of this.#idleWaiters.splice(0)) resolve();
    const enough = this.#unpublished >= PUBLISHED_BYTES;
    if (this.#draining) {
      if (enough) this.#publish();
      return;
    }
    // The last one of a batch does not wait for others.
    if (idle || enough) this.#publish();
    else this.#scheduled ??= setImmediate(() => this.#publish());
    // A look at the ring is cheaper than another wake-up. Not at once: the command that ends is still on the stack.
    if (idle && this.#group.hasTime) void nextMicrotask.then(this.#drainMore);
  }

  /** CommandOwner: a verb whose command was answered with expire() is done. */
  finishLate(command: RingCommand): void {
    command.state = 'free';
    this.#late--;
    this.#listener.onLateCompletion?.(command);
    this.#pool.push(command);
  }

  #publish(): void {
    if (this.#scheduled !== undefined) {
      clearImmediate(this.#scheduled);
      this.#scheduled = undefined;
    }
    this.#unpublished = 0;
    if (this.#tail.position === this.#published || this.#broken || this.#state === 'closed') return;
    this.#tellTail();
  }

  #tellTail(): void {
    const tail = this.#tail.position;
    try {
      this.#journal?.publish(this.#published, tail);
      this.#published = tail;
      if (this.#region.publish) this.#region.publish(tail);
      else {
        this.#region.storeTail(tail);
        this.#region.kick();
      }
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
    this.#group.remove(this);
    this.#listener.onBroken(error);
  }
}
