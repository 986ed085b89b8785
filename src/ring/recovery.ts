import { header, op, OP_ALIGN, OP_MASK } from './abi.js';
import { commandIdAt } from './entry-parser.js';
import type { Journal, Redo } from './journal.js';
import { writeResponse } from './response-writer.js';
import type { SavedEntry } from './saved-entries.js';

/** Mailbox and ring as a consumer finds them. Positions are byte offsets in the ring. */
export interface RingState {
  readonly bytes: Uint8Array;
  readonly words: Uint32Array;
  readonly ringOffset: number;
  readonly ringSize: number;
  /** As the kernel has it. */
  readonly tail: number;
  readonly head: number;
}

/** What a consumer makes of a ring that another one may have served before it. */
export type Recovery =
  /** Nobody has served it yet, or nothing is on it: go on at the kernel's tail. */
  | { readonly kind: 'fresh' }
  /** Go on at `tail`, up to which everything is answered, though the kernel may not know; first with `saved`. */
  | { readonly kind: 'resume'; readonly tail: number; readonly saved: readonly SavedEntry[] }
  /** What is unfinished cannot be known. */
  | { readonly kind: 'lost'; readonly reason: string };

/** An entry between tail and head. */
interface Entry {
  readonly position: number;
  readonly next: number;
  readonly isCommand: boolean;
}

const lost = (reason: string): Recovery => ({ kind: 'lost', reason });

/** @returns what was wrong, where that is no ring */
function entriesOf({ words, ringOffset, ringSize, tail, head }: RingState): Entry[] | string {
  if (head >= ringSize || head % OP_ALIGN !== 0) return `head ${head} is no entry of the ring`;
  const entries: Entry[] = [];
  for (let position = tail; position !== head;) {
    const word = words[(ringOffset + position) >> 2];
    const length = (word & ~OP_MASK) >>> 0;
    const limit = head > position ? head : ringSize;
    if (length < header.size || length > limit - position) return `the entry at ${position} is no entry`;
    const next = (position + length) % ringSize;
    entries.push({ position, next, isCommand: (word & OP_MASK) === op.command });
    position = next;
  }
  return entries;
}

/** Whether entries hold the requests they came with: a response takes the id of another one that is there. */
function areUntouched(ring: RingState, entries: readonly Entry[]): boolean {
  const ids = entries
    .filter(({ isCommand }) => isCommand)
    .map(({ position }) => commandIdAt(ring.bytes, ring.ringOffset + position));
  return new Set(ids).size === ids.length && !ids.includes(0);
}

/** Write the response that was being written, wherever it had got to. */
function writeAgain(ring: RingState, { slot, response }: Redo): void {
  const at = ring.ringOffset + slot;
  const { commandId, userFlags, status, readLength, sense } = response ?? {
    commandId: commandIdAt(ring.bytes, at),
    userFlags: 0,
    status: 0,
    readLength: 0,
    sense: undefined,
  };
  writeResponse(ring.bytes, ring.words, at, commandId, userFlags, status, sense, readLength);
}

/**
 * Find out what a consumer that is gone has left unfinished, and finish the response it was writing. Nothing is told
 * to the kernel yet. May itself be cut short anywhere, and be done again.
 */
export function recover(journal: Journal, ring: RingState): Recovery {
  const entries = entriesOf(ring);
  if (typeof entries === 'string') return lost(entries);
  const recovery = examine(journal, ring, entries);
  // The kernel keeps an entry on the ring for each command that is unfinished.
  return recovery.kind === 'lost' && entries.length === 0 ? { kind: 'fresh' } : recovery;
}

function examine(journal: Journal, ring: RingState, entries: readonly Entry[]): Recovery {
  const reason = journal.mismatch();
  if (reason !== undefined || !journal.mayBePublished(ring.tail)) {
    // Of a ring that nobody has served, the tail has never moved.
    if (reason !== undefined && ring.tail === 0 && areUntouched(ring, entries)) return { kind: 'fresh' };
    return lost(reason ?? 'somebody else has served the device since the journal was written');
  }
  if (journal.isIncomplete) return lost('the journal had no room for all commands that were overtaken');

  if (journal.isDamaged) return lost('the journal is damaged');

  let tail = journal.tail;
  let first = entries.findIndex(({ position }) => position === tail);
  if (first < 0) {
    if (tail !== ring.head) return lost(`the journal says tail ${tail}, where no entry begins`);
    first = entries.length;
  }
  const redo = journal.readRedo();
  if (redo && redo.slot === tail && first < entries.length && entries[first].isCommand) {
    writeAgain(ring, redo);
    tail = entries[first].next;
    journal.commit(tail);
    first++;
  }
  journal.settleRedo();

  const open = entries.slice(first);
  journal.sweepMarks(new Set(open.map(({ position }) => position)));
  let saved = journal.saved.load();
  const at = open.at(0);
  if (at?.isCommand && !journal.isFinished(at.position)) {
    // Saved, but not overwritten yet.
    const id = commandIdAt(ring.bytes, ring.ringOffset + at.position);
    const twice = saved.filter(
      (entry) => entry.position === at.position && commandIdAt(journal.saved.bytes, entry.at) === id,
    );
    for (const { chunk } of twice) journal.saved.free(chunk);
    saved = saved.filter((entry) => !twice.includes(entry));
  }
  const overtaking = open.filter(({ isCommand, position }) => isCommand && journal.isFinished(position));
  // An entry whose command is finished stands for one whose entry was overwritten.
  if (overtaking.length !== saved.length) {
    return lost(
      `${saved.length} commands are saved, but ${overtaking.length} entries on the ring are answered already`,
    );
  }
  return { kind: 'resume', tail, saved };
}
