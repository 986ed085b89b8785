// HOT PATH: answer() runs for every command; nothing here allocates.
import { header, mailboxFlag, op, OP_MASK, userFlag } from './abi.js';
import { commandIdAt } from './entry-parser.js';
import { EntryQueue } from './entry-queue.js';
import type { Journal } from './journal.js';
import { writeResponse } from './response-writer.js';
import type { RingCommand } from './ring-command.js';

/** Where a command ring is in its region. */
export interface RingPlace {
  /** All of the region, twice. */
  readonly bytes: Uint8Array;
  readonly words: Uint32Array;
  /** Where the ring begins in it, and how long it is, in bytes. */
  readonly ringOffset: number;
  readonly ringSize: number;
}

/**
 * The end of a ring at which answers are written: the entries that were fetched and hold no response yet. The kernel
 * lets any command be answered in the first of them, whosever request that is.
 */
export class RingTail {
  readonly #bytes: Uint8Array;
  readonly #words: Uint32Array;
  readonly #ringOffset: number;
  readonly #ringSize: number;
  readonly #flags: number;
  readonly #journal: Journal | undefined;
  readonly #running: readonly (RingCommand | undefined)[];
  readonly #entries = new EntryQueue();
  #position: number;

  /**
   * @param flags the mailbox's
   * @param position where the tail is, bytes
   * @param running the commands in flight by their ids
   */
  constructor(
    place: RingPlace,
    flags: number,
    position: number,
    journal: Journal | undefined,
    running: readonly (RingCommand | undefined)[],
  ) {
    this.#bytes = place.bytes;
    this.#words = place.words;
    this.#ringOffset = place.ringOffset;
    this.#ringSize = place.ringSize;
    this.#flags = flags;
    this.#position = position;
    this.#journal = journal;
    this.#running = running;
  }

  /** Byte offset in the ring of the first entry that holds no response yet. */
  get position(): number {
    return this.#position;
  }

  /** Somewhere else, while nothing was fetched. */
  moveTo(position: number): void {
    this.#position = position;
  }

  /** An entry was fetched. @param lengthAndOp its len_op, checked */
  push(lengthAndOp: number): void {
    this.#entries.push(lengthAndOp);
  }

  /** Write a command's answer into the entry at the tail, as CommandOwner.finish() is told it. */
  answer(
    command: RingCommand,
    status: number,
    sense: Uint8Array | undefined,
    readLength: number | undefined,
    keepBuffer: boolean,
  ): void {
    if (!this.skipToCommand()) return;
    const slot = this.#position;
    const at = this.#ringOffset + slot;
    const journal = this.#journal;
    let flags = 0;
    if (readLength !== undefined && (this.#flags & mailboxFlag.readLength) !== 0) {
      flags |= userFlag.readLength;
    }
    command.keptBuffer = keepBuffer && (this.#flags & mailboxFlag.keepBuffer) !== 0;
    if (command.keptBuffer) flags |= userFlag.keepBuffer;
    if (journal) {
      if (command.position !== slot) this.#saveOwner(journal, at);
      journal.record(slot, command, flags, status, sense, readLength ?? 0);
    }
    writeResponse(this.#bytes, this.#words, at, command.id, flags, status, sense, readLength ?? 0);
    this.#advance();
    if (journal) {
      journal.commit(this.#position);
      journal.settle(command, slot);
    }
    this.skipToCommand();
  }

  /** Before the entry at the tail is overwritten with a response that is not its own command's. */
  #saveOwner(journal: Journal, at: number): void {
    const owner = this.#running[commandIdAt(this.#bytes, at)];
    // The kernel uses an id again once it is answered: only the position tells whose entry it is.
    if (owner?.position !== this.#position) return;
    journal.save(owner, this.#words, at, (this.#entries.first & ~OP_MASK) >>> 0);
  }

  /**
   * Move over fetched entries that take no response: PAD and TMR, and those of an unknown op, which are marked.
   * @returns whether the tail is at a command's entry
   */
  skipToCommand(): boolean {
    const from = this.#position;
    while (!this.#entries.isEmpty) {
      const operation = this.#entries.first & OP_MASK;
      if (operation === op.command) {
        if (this.#position !== from) this.#journal?.skip(this.#position);
        return true;
      }
      if (operation !== op.pad && operation !== op.taskManagement) {
        this.#bytes[this.#ringOffset + this.#position + header.userFlags] |= userFlag.unknownOp;
      }
      this.#advance();
    }
    if (this.#position !== from) this.#journal?.skip(this.#position);
    return false;
  }

  #advance(): void {
    const length = (this.#entries.shift() & ~OP_MASK) >>> 0;
    this.#position = (this.#position + length) % this.#ringSize;
  }
}
