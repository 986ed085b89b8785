import { header, mailbox } from '../../src/ring/abi.js';
import { CommandRing } from '../../src/ring/command-ring.js';
import type { RingListener } from '../../src/ring/ring-listener.js';
import type { RingRegion } from '../../src/ring/region.js';
import type { RingCommand } from '../../src/ring/ring-command.js';
import type { RingError } from '../../src/ring/ring-error.js';
import { commandEntrySize, RingWriter, type RingResponse } from '../../src/testing/ring-writer.js';

/** READ(6), in an entry of 120 bytes where it has no or few iovecs. */
export const sixByteCdb = Uint8Array.of(0x08, 1, 2, 3, 4, 5);
export const SMALL_ENTRY = commandEntrySize(0, 6);

/** A consumer's region whose producer is the test: nothing happens between the test's own calls. */
export class TestRegion implements RingRegion {
  readonly buffer: ArrayBuffer;
  readonly writer: RingWriter;
  /** Every tail stored. */
  readonly tails: number[] = [];
  kicks = 0;
  /** Thrown by the next kick(). */
  kickError: Error | undefined;
  #callback: ((error?: Error) => void) | undefined;

  constructor(
    readonly ringSize = 4096,
    readonly dataSize = 65536,
  ) {
    this.buffer = new ArrayBuffer(mailbox.size + ringSize + dataSize);
    this.writer = new RingWriter(this.buffer, ringSize);
  }

  get view(): DataView {
    return new DataView(this.buffer);
  }

  get dataOffset(): number {
    return mailbox.size + this.ringSize;
  }

  /** Where an entry at `position` of the ring lies in the region. */
  entryAt(position: number): number {
    return mailbox.size + position;
  }

  loadHead(): number {
    return this.writer.head;
  }

  storeTail(tail: number): void {
    this.tails.push(tail);
    this.writer.tail = tail;
  }

  kick(): void {
    if (this.kickError) throw this.kickError;
    this.kicks++;
  }

  onCommand(callback: (error?: Error) => void): void {
    this.#callback = callback;
  }

  close(): void {
    this.#callback = undefined;
  }

  wake(error?: Error): void {
    this.#callback?.(error);
  }

  /** Put a command without data on the ring. @returns its position */
  command(id: number, cdb: Uint8Array = sixByteCdb): number {
    this.writer.writeCommand(id, cdb, [], []);
    const length = commandEntrySize(0, cdb.length);
    return (this.writer.head - length + this.ringSize) % this.ringSize;
  }

  response(position: number): RingResponse {
    return this.writer.readResponse(position).response;
  }
}

/** What a ring told its owner, and how its owner is to answer. */
export class Recorder implements RingListener {
  readonly commands: RingCommand[] = [];
  readonly ids: number[] = [];
  readonly taskManagement: { type: number; ids: readonly number[] }[] = [];
  readonly broken: RingError[] = [];
  readonly late: number[] = [];
  /** Called for each command; without it they are left running. */
  answer: ((command: RingCommand) => void) | undefined;

  onCommand(command: RingCommand): void {
    this.commands.push(command);
    this.ids.push(command.id);
    this.answer?.(command);
  }

  onTaskManagement(type: number, ids: readonly number[]): void {
    this.taskManagement.push({ type, ids });
  }

  onBroken(error: RingError): void {
    this.broken.push(error);
  }

  onLateCompletion(command: RingCommand): void {
    this.late.push(command.id);
  }
}

export interface Started {
  ring: CommandRing;
  region: TestRegion;
  recorder: Recorder;
}

export function startRing(region = new TestRegion()): Started {
  const recorder = new Recorder();
  const ring = new CommandRing(region, recorder);
  ring.start();
  return { ring, region, recorder };
}

/** A turn of the event loop in which immediates ran. */
export const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** An entry with nothing behind its header but zeroes. */
export function rawEntry(length: number, operation: number, id = 0): Uint8Array {
  const bytes = new Uint8Array(length);
  const view = new DataView(bytes.buffer);
  view.setUint32(header.lengthAndOp, length | operation, true);
  view.setUint16(header.commandId, id, true);
  return bytes;
}
