import type { Disk, HandlerLog } from '../handlers/contract.js';
import { additionalSense, senseKey } from '../handlers/contract.js';
import { CommandRing } from '../ring/command-ring.js';
import type { RingError } from '../ring/ring-error.js';
import type { RingCommand } from '../ring/ring-command.js';
import type { RingRegion } from '../ring/region.js';
import type { Nexus } from '../scsi/command.js';
import { describeFailure } from '../scsi/errno.js';
import { LogicalUnit, type LogicalUnitOptions } from '../scsi/logical-unit.js';
import { encodeSense } from '../scsi/sense-data.js';
import { scsiStatus } from '../scsi/status.js';
import { checkedDisk } from './checked-disk.js';
import { CommandBudget } from './command-budget.js';
import { endsWithin } from './patience.js';

export interface DeviceOptions {
  /** Names the device in logs: `user_0/disk1`. */
  readonly name: string;
  readonly region: RingRegion;
  readonly disk: Disk;
  readonly log: HandlerLog;
  /** Identity and limits of the logical unit. */
  readonly unit?: LogicalUnitOptions;
  /** Milliseconds a command may take before it is aborted and answered; 0 waits for ever. Default 25 000. */
  readonly commandTimeout?: number;
  /** Give the handler private copies of all data, so that a late use of a buffer fails at once. */
  readonly checkedBuffers?: boolean;
  /** Release a buffer kept past its command's completion (configfs action/free_kept_buf). */
  readonly freeKeptBuffer?: (commandId: number) => void;
  /** The ring cannot be trusted any more; the device serves nothing until it is opened anew. */
  readonly onBroken?: (error: RingError) => void;
}

export type DeviceState = 'new' | 'serving' | 'paused' | 'broken' | 'closing' | 'closed';

/** How long close() waits for verbs that were told to stop, in milliseconds. */
const ABORT_GRACE = 1000;

/** LIO does not say which initiator a command came from: to a TCMU device all of them are one I_T nexus. */
const lioNexus: Nexus = { name: 'lio' };

/** One live logical unit: a ring on one side, a handler's disk on the other. */
export class Device {
  readonly name: string;
  readonly unit: LogicalUnit;
  readonly disk: Disk;
  readonly #options: DeviceOptions;
  readonly #ring: CommandRing;
  readonly #log: HandlerLog;
  readonly #budget: CommandBudget | undefined;
  #state: DeviceState = 'new';
  #closing: Promise<void> | undefined;

  /** @throws RingError where the region is not a ring this library can serve */
  constructor(options: DeviceOptions) {
    const { name, region, log, commandTimeout = 25_000 } = options;
    this.name = name;
    this.#options = options;
    this.#log = log;
    this.disk = options.checkedBuffers ? checkedDisk(options.disk) : options.disk;
    this.unit = new LogicalUnit(this.disk, {
      log: (message: string) => log.error(`${name}: ${message}`),
      pause: () => new Promise((resolve) => setImmediate(resolve)),
      ...options.unit,
    });
    this.#ring = new CommandRing(region, {
      onCommand: (command) => this.unit.submit(command, lioNexus),
      onTaskManagement: (type, commandIds) => this.#abortTasks(type, commandIds),
      onBroken: (error) => this.#break(error),
      onLateCompletion: (command) => this.#releaseLate(command),
    });
    if (commandTimeout > 0) {
      this.#budget = new CommandBudget(this.#ring, commandTimeout, {
        abort: (command) => this.#abortSlow(command, commandTimeout),
        expire: (command) => this.#answerFor(command, scsiStatus.checkCondition),
      });
    }
  }

  get state(): DeviceState {
    return this.#state;
  }

  /** Commands taken off the ring and not answered yet. */
  get inFlight(): number {
    return this.#ring.inFlight;
  }

  /** Serve: what waits on the ring first, then each command as it comes. */
  start(): void {
    this.#state = 'serving';
    this.#budget?.start();
    this.#ring.start();
  }

  /** Stop taking commands off the ring and wait until those taken are answered. They queue up in the kernel. */
  async quiesce(): Promise<void> {
    if (this.#state === 'serving') this.#state = 'paused';
    this.#ring.pause();
    await this.#ring.whenIdle();
  }

  resume(): void {
    if (this.#state !== 'paused') return;
    this.#state = 'serving';
    this.#ring.resume();
  }

  /**
   * Change the capacity under I/O; initiators learn of it by a unit attention.
   * @param size bytes
   * @throws what the handler's `resize` throws; an Error where it has none
   */
  async resize(size: number): Promise<void> {
    if (size === this.disk.size) return;
    const blockSize = this.disk.blockSize ?? 512;
    if (!Number.isSafeInteger(size) || size <= 0 || size % blockSize !== 0) {
      throw new RangeError(`size ${size} is not a positive multiple of the block size ${blockSize}`);
    }
    if (!this.disk.resize) throw new Error(`${this.name}: this handler cannot change the size of its disk`);
    const before = this.disk.size;
    await this.disk.resize(size);
    this.unit.capacityChanged();
    this.#log.info(`${this.name}: size changed from ${before} to ${this.disk.size} bytes`);
  }

  /**
   * Drain, answer, leave. Commands that outlive `drainTimeout` are aborted, then answered with BUSY, so that the
   * initiator sends them again. Idempotent; never rejects.
   * @param drainTimeout milliseconds
   */
  close(drainTimeout = 10_000): Promise<void> {
    return (this.#closing ??= this.#close(drainTimeout));
  }

  async #close(drainTimeout: number): Promise<void> {
    this.#state = 'closing';
    this.#ring.pause();
    if (!(await this.#idleWithin(drainTimeout))) {
      this.#log.warn(
        `${this.name}: ${this.#ring.inFlight} commands still running after ${drainTimeout} ms: aborted`,
      );
      for (const command of this.#ring.commands()) command.abort(new Error('the device is closing'));
      if (!(await this.#idleWithin(ABORT_GRACE))) {
        for (const command of [...this.#ring.commands()]) this.#answerFor(command, scsiStatus.busy);
      }
    }
    await endsWithin(ABORT_GRACE, this.unit.close());
    this.#budget?.stop();
    this.#state = 'closed';
    this.#ring.close();
    await this.#finishDisk('flush', drainTimeout);
    if (this.#ring.late > 0) {
      // A verb still holds a view of the region. Unmapping now would let it write into unmapped memory.
      this.#log.error(
        `${this.name}: ${this.#ring.late} verbs never ended; mapping and disk stay open until they do`,
      );
    } else {
      this.#options.region.close();
      await this.#finishDisk('close', drainTimeout);
    }
  }

  /** What a disk is asked at its end; a failure, or no answer, keeps nobody from going on. */
  async #finishDisk(verb: 'flush' | 'close', patience: number): Promise<void> {
    const { disk } = this;
    if (verb === 'flush' && disk.readOnly) return;
    try {
      const context = { fua: false, dpo: false, signal: AbortSignal.timeout(patience) };
      const done = verb === 'flush' ? disk.flush?.(context) : disk.close?.();
      if (await endsWithin(patience, done)) return;
      this.#log.error(`${this.name}: ${verb} of the disk did not end within ${patience} ms`);
    } catch (error) {
      this.#log.error(`${this.name}: ${verb} of the disk failed: ${describeFailure(error)}`);
    }
  }

  async #idleWithin(milliseconds: number): Promise<boolean> {
    return this.#ring.inFlight === 0 || endsWithin(milliseconds, this.#ring.whenIdle());
  }

  #abortTasks(type: number, commandIds: readonly number[]): void {
    for (const id of commandIds) {
      this.#ring.find(id)?.abort(new Error(`aborted by a task management function (type ${type})`));
    }
  }

  #abortSlow(command: RingCommand, budget: number): void {
    const cdb = Array.from(command.cdb.subarray(0, command.cdbLength), (byte) =>
      byte.toString(16).padStart(2, '0'),
    );
    this.#log.error(
      `${this.name}: command ${command.id} (${cdb.join(' ')}) took longer than ${budget} ms: aborted`,
    );
    command.abort(new DOMException(`the command took longer than ${budget} ms`, 'TimeoutError'));
  }

  /**
   * Answer in the handler's stead. Its verb may still use the buffer, so the kernel is asked to keep it
   * until the verb ends (#releaseLate).
   */
  #answerFor(command: RingCommand, status: number): void {
    const sense =
      status === scsiStatus.checkCondition
        ? encodeSense(
            senseKey.abortedCommand,
            additionalSense.commandTimeoutDuringProcessing,
            {},
            this.unit.modes.senseFormat,
          )
        : undefined;
    command.expire(status, sense, this.#options.freeKeptBuffer !== undefined);
  }

  #releaseLate(command: RingCommand): void {
    this.#log.warn(`${this.name}: command ${command.id} ended after it had been answered for`);
    if (this.#state === 'closed') {
      if (this.#ring.late > 0) return;
      this.#options.region.close();
      void this.#finishDisk('close', ABORT_GRACE);
      return;
    }
    // A device that is being removed must not be touched in configfs, and closing the region frees its buffers.
    if (!command.keptBuffer || this.#state === 'closing') return;
    try {
      this.#options.freeKeptBuffer?.(command.id);
    } catch (error) {
      this.#log.error(`${this.name}: buffer of command ${command.id} not freed: ${(error as Error).message}`);
    }
  }

  #break(error: RingError): void {
    // Of a region that is kept only for verbs that never end: nobody waits on it any more.
    if (this.#state === 'closed') return;
    if (this.#state !== 'closing') this.#state = 'broken';
    this.#log.error(`${this.name}: ${error.message}; the device is no longer served`);
    this.#options.onBroken?.(error);
  }
}
