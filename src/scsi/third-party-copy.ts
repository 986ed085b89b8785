// HOT PATH: `idle` is asked for every command; the rest only while there are ROD tokens.
import { readUint16, readUint32, readUint64 } from './big-endian.js';
import type { CommandDefinition } from './command-definition.js';
import type { ScsiCommand } from './command.js';
import type { CopyManager } from './copy-manager.js';
import { CopyOperations, copyStatus, type CopyOperation } from './copy-operations.js';
import { tokenLimits } from './copy-limits.js';
import type { ByteExtent, RodToken } from './copy-token.js';
import { toSenseError } from './errno.js';
import { opcode } from './opcode.js';
import { encodeSense } from './sense-data.js';
import { additionalSense, senseKey, SenseError, StatusError } from './sense.js';
import { scsiStatus } from './status.js';
import type { Unit } from './unit.js';

/** Commands that are counted as writing, and change no block. */
const changesNothing: ReadonlySet<number> = new Set([
  opcode.synchronizeCache10,
  opcode.synchronizeCache16,
  opcode.startStopUnit,
  opcode.thirdPartyCopyOut,
]);

/** Third-party copy as one logical unit has it: its operations, and the tokens that stand for its blocks. */
export class ThirdPartyCopy {
  readonly operations = new CopyOperations();
  readonly #unit: Unit;
  /** Tokens whose data a write can change. */
  readonly #sources = new Set<RodToken>();
  readonly #background = new Map<AbortController, Promise<void>>();
  /** Copies that read or write the unit just now. */
  #users = 0;
  #closed = false;
  #left?: () => void;

  constructor(
    unit: Unit,
    readonly manager: CopyManager,
  ) {
    this.#unit = unit;
    manager.register(unit);
  }

  /** No token stands for blocks of this unit: writes need not be told. */
  get idle(): boolean {
    return this.#sources.size === 0;
  }

  /** Make a ROD token of parts of this unit. From now on a write to them revokes it. */
  createToken(extents: readonly ByteExtent[], seconds: number, creator: Uint8Array): RodToken {
    const { tokens } = this.manager;
    const token = tokens.create(this.#unit, extents, seconds, creator);
    for (const old of this.#sources) {
      if (this.#sources.size < tokenLimits.remembered) break;
      if (old.deleted || tokens.expired(old)) this.#sources.delete(old);
    }
    this.#sources.add(token);
    return token;
  }

  /** Bytes `start` to before `end` are about to be written: tokens that stand for any of them are revoked. */
  overwritten(start: number, end: number): void {
    const { tokens } = this.manager;
    for (const token of this.#sources) {
      const gone = token.deleted || tokens.expired(token);
      if (!gone && !token.overlaps(start, end)) continue;
      if (!gone) token.revoked = true;
      this.#sources.delete(token);
    }
  }

  /** A command is about to run. Called for each, unless `idle`. */
  commandStarts({ cdb, dataOut }: ScsiCommand, definition: CommandDefinition): void {
    const { activity, address, direction } = definition;
    const vendor = definition.reference === 'vendor' && direction !== 'in';
    if ((activity !== 'write' && !vendor) || changesNothing.has(definition.opcode)) return;
    const { blockSize } = this.#unit;
    if (definition.opcode === opcode.unmap) {
      this.#unmapped(dataOut.segments);
    } else if (address) {
      const start = address.lba(cdb) * blockSize;
      this.overwritten(start, start + address.blocks(cdb) * blockSize);
    } else {
      this.overwritten(0, Infinity);
    }
  }

  /** The block descriptors of an UNMAP, which are few. One in pieces is not put together: all counts as unmapped. */
  #unmapped(segments: readonly Uint8Array[]): void {
    const { blockSize } = this.#unit;
    const [list] = segments;
    if (segments.length !== 1 || list.length < 8) return this.overwritten(0, Infinity);
    const end = Math.min(list.length, 8 + readUint16(list, 2));
    for (let at = 8; at + 16 <= end; at += 16) {
      const start = readUint64(list, at) * blockSize;
      this.overwritten(start, start + readUint32(list, at + 8) * blockSize);
    }
  }

  /**
   * Run a copy operation and keep how it ended.
   * @param job is given the operation and what aborts it
   * @throws what the job throws
   */
  async run(operation: CopyOperation, job: () => Promise<void>): Promise<void> {
    try {
      await this.manager.run(job);
      if (operation.running) operation.status = copyStatus.completed;
    } catch (error) {
      this.#failed(operation, error);
      throw error;
    }
  }

  /** As run, after the command was answered: how it ends is told by the RECEIVE COPY commands only. */
  runInBackground(operation: CopyOperation, job: (signal: AbortSignal) => Promise<void>): void {
    const controller = new AbortController();
    operation.status = copyStatus.background;
    const ended = (): void => void this.#background.delete(controller);
    const running = this.run(operation, () => job(controller.signal)).then(ended, ended);
    this.#background.set(controller, running);
  }

  /** Fulfilled when no copy goes on in the background. */
  async settled(): Promise<void> {
    await Promise.all(this.#background.values());
  }

  #failed(operation: CopyOperation, error: unknown): void {
    operation.status = copyStatus.failed;
    if (error instanceof StatusError) {
      operation.completion = error.status;
      return;
    }
    if ((error as { name?: unknown } | undefined)?.name === 'AbortError') {
      operation.status = copyStatus.terminated;
      operation.completion = scsiStatus.taskAborted;
      return;
    }
    operation.completion = scsiStatus.checkCondition;
    const known = toSenseError(error, 'write');
    const { senseFormat } = this.#unit.modes;
    operation.sense = known
      ? encodeSense(known.key, known.code, known.details, senseFormat)
      : encodeSense(senseKey.hardwareError, additionalSense.internalTargetFailure, {}, senseFormat);
  }

  /** LOGICAL UNIT RESET: copies in the background end, results are discarded. */
  reset(): void {
    for (const controller of this.#background.keys()) controller.abort();
    this.operations.reset();
  }

  /**
   * A copy is about to use the unit, for its own commands or for another unit's: `leave` must follow.
   * @throws SenseError where the unit is gone
   */
  enter(): void {
    this.checkOpen();
    this.#users++;
  }

  leave(): void {
    this.#users--;
    if (this.#users === 0) this.#left?.();
  }

  /** @throws SenseError where the unit is gone: a copy that uses it must end */
  checkOpen(): void {
    if (!this.#closed) return;
    throw new SenseError(
      senseKey.copyAborted,
      additionalSense.copyTargetDeviceNotReachable,
      'the logical unit was closed',
    );
  }

  /** The unit is gone. Fulfilled when no copy uses it any more. */
  async close(): Promise<void> {
    this.#closed = true;
    this.reset();
    this.overwritten(0, Infinity);
    this.manager.unregister(this.#unit);
    await this.settled();
    if (this.#users > 0) await new Promise<void>((resolve) => (this.#left = resolve));
  }
}
