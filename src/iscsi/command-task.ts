// HOT PATH: tasks are pooled; nothing here allocates unless a verb asks for the signal.
import type { ScsiCommand, TaskAttribute } from '../scsi/command.js';
import type { R2t } from './data-out.js';

/** The longest CDB: 16 bytes in the header and 244 in an additional header segment (SPC-4 4.2.3). */
export const MAX_CDB = 260;

/** Buffers of one direction, filled anew for each command. */
export class SegmentList {
  readonly segments: Uint8Array[] = [];
  byteLength = 0;

  clear(): void {
    if (this.segments.length > 0) this.segments.length = 0;
    this.byteLength = 0;
  }

  add(segment: Uint8Array): void {
    this.segments.push(segment);
    this.byteLength += segment.length;
  }
}

/** What a verb is told about its command; the signal is made when it is first asked for. */
class TaskContext {
  fua = false;
  dpo = false;
  #controller: AbortController | undefined;
  #reason: Error | undefined;

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
  }
}

/** Whom a task answers to. */
export interface TaskOwner {
  finish(
    task: CommandTask,
    status: number,
    sense: Uint8Array | undefined,
    readLength: number | undefined,
  ): void;
}

/**
 * `collecting` waits for Data-Out, `waiting` for memory; `running` is with the logical unit; `ended` was answered
 * or aborted, and a logical unit may still be busy with it.
 */
export type TaskState = 'free' | 'collecting' | 'waiting' | 'running' | 'ended';

/** One SCSI command of an initiator. The object is used again: nothing of it may be touched after complete(). */
export class CommandTask implements ScsiCommand {
  itt = 0;
  cmdSn = 0;
  immediate = false;
  lun = 0;
  readonly cdb = new Uint8Array(MAX_CDB);
  cdbLength = 16;
  attribute: TaskAttribute = 'simple';
  readonly context = new TaskContext();
  readonly dataOut = new SegmentList();
  readonly dataIn = new SegmentList();
  transferLength: number | undefined;
  readonly reportsResidual = true;
  state: TaskState = 'free';
  /** Flags of the SCSI Command PDU. */
  reads = false;
  writes = false;
  /** Expected Data Transfer Length: of the Data-Out of a bidirectional command, else of its one direction. */
  expectedLength = 0;
  /** Expected Bidirectional Read Data Length. */
  expectedReadLength = 0;
  /** The initiator is not to be answered: it aborted the command itself. */
  silent = false;
  /** Its target's observer knows of it. */
  observed = false;
  startedAt = Number.NaN;
  /** Memory it is charged with. */
  charge = 0;

  /** Data-In: the buffer its segments lie in, and how it is cut into PDUs. */
  buffer: Buffer | undefined;
  segmentLimit = 0;

  /** Data-Out: bytes wanted, bytes asked for, and the sequence that is coming in. */
  wanted = 0;
  requested = 0;
  unsolicited = false;
  unsolicitedDataSn = 0;
  r2tSn = 0;
  readonly r2ts: R2t[] = [];
  /** `asc << 8 | ascq` of what was wrong with the Data-Out. */
  dataOutFault = 0;
  /** Data-Out that came in too many pieces is gathered here. */
  gathered: Uint8Array | undefined;

  readonly #owner: TaskOwner;

  constructor(owner: TaskOwner) {
    this.#owner = owner;
  }

  reset(): void {
    this.state = 'free';
    this.cdbLength = 16;
    this.expectedReadLength = 0;
    this.silent = this.observed = false;
    this.charge = 0;
    this.context.reset();
    this.dataOut.clear();
    this.dataIn.clear();
    this.transferLength = undefined;
    this.buffer = undefined;
    this.unsolicited = false;
    this.wanted = this.requested = this.unsolicitedDataSn = this.r2tSn = this.dataOutFault = 0;
    if (this.r2ts.length > 0) this.r2ts.length = 0;
    this.gathered = undefined;
  }

  /**
   * The logical unit aborts the command; it still completes.
   * @param silent the initiator knows, and is not to be answered
   */
  abort(reason: Error, silent = false): void {
    this.silent ||= silent;
    this.context.abort(reason);
  }

  complete(status: number, sense?: Uint8Array, readLength?: number): void {
    this.#owner.finish(this, status, sense, readLength);
  }
}
