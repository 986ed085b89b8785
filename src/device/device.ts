import type { Disk, HandlerLog } from '../handlers/contract.js';
import { additionalSense, senseKey } from '../handlers/contract.js';
import { CommandRing } from '../ring/command-ring.js';
import type { RingListener } from '../ring/ring-listener.js';
import type { RingError } from '../ring/ring-error.js';
import type { RecoveryOutcome } from '../ring/resumption.js';
import type { RingCommand } from '../ring/ring-command.js';
import type { Nexus } from '../scsi/command.js';
import { describeFailure } from '../scsi/errno.js';
import { LogicalUnit } from '../scsi/logical-unit.js';
import { encodeSense } from '../scsi/sense-data.js';
import { scsiStatus } from '../scsi/status.js';
import { checkedDisk } from './checked-disk.js';
import { CommandBudget, type BudgetActions } from './command-budget.js';
import { Idempotence } from './idempotence.js';
import { CommandTrace, type TraceListener } from './command-trace.js';
import { endsWithin } from './patience.js';
import type { DeviceOptions } from './device-options.js';
import type { DiskOpener } from './disk-opener.js';
import { DiskReplacement, type Replaced, type ReplaceOptions } from './reload.js';
import { Steps } from './steps.js';
import { DeviceStatistics } from './statistics.js';
import { VerbTrace } from './verb-trace.js';

export type DeviceState = 'new' | 'serving' | 'paused' | 'broken' | 'closing' | 'closed';

/** How long close() waits for verbs that were told to stop, in milliseconds. */
const ABORT_GRACE = 1000;

/** LIO does not say which initiator a command came from: to a TCMU device all of them are one I_T nexus. */
const lioNexus: Nexus = { name: 'lio' };

/** A command's CDB: `28 00 …`. */
function hex({ cdb, cdbLength }: RingCommand): string {
  return Array.from(cdb.subarray(0, cdbLength), (byte) => byte.toString(16).padStart(2, '0')).join(' ');
}

/** One live logical unit: a ring on one side, a handler's disk on the other. */
export class Device {
  readonly name: string;
  readonly unit: LogicalUnit;
  readonly statistics = new DeviceStatistics();
  /** Milliseconds a command may take; 0 for ever. */
  readonly commandTimeout: number;
  /** Made when somebody first looks. */
  #trace: CommandTrace | undefined;
  readonly #options: DeviceOptions;
  readonly #ring: CommandRing;
  #idempotence: Idempotence | undefined;
  readonly #log: HandlerLog;
  readonly #budget: CommandBudget | undefined;
  readonly #verbs: VerbTrace | undefined;
  #state: DeviceState = 'new';
  #reopen: DiskOpener | undefined;
  /** Changes of the disk that are under way, one after the other; never rejects. */
  #changes: Promise<unknown> | undefined;
  #closing: Promise<void> | undefined;

  /** @throws RingError where the region is not a ring this library can serve */
  constructor(options: DeviceOptions) {
    const { name, region, log, commandTimeout = 25_000 } = options;
    this.name = name;
    this.commandTimeout = commandTimeout;
    this.#options = options;
    this.#log = log;
    this.#reopen = options.reopen;
    this.#verbs = options.traceVerbs ? new VerbTrace() : undefined;
    this.unit = new LogicalUnit(this.#wrapped(options.disk), {
      log: (message: string) => log.error(`${name}: ${message}`),
      pause: () => new Promise((resolve) => setImmediate(resolve)),
      ...options.unit,
    });
    const { loopMarks } = options;
    const watched = loopMarks?.register(name) ?? 0;
    const listener: RingListener = {
      onCommand: (command) => {
        this.statistics.started(command);
        loopMarks?.enter(watched, command.cdb[0]);
        this.unit.submit(command, lioNexus);
        loopMarks?.leave();
      },
      onAnswer: (command, status, sense) => {
        this.statistics.completed(command, status, sense);
        if (this.#trace?.active) this.#trace.record(command, status, sense, this.statistics.lastLatency);
      },
      onTaskManagement: (type, commandIds) => this.#abortTasks(type, commandIds),
      onBroken: (error) => this.#break(error),
      onLateCompletion: (command) => this.#releaseLate(command),
      ...(options.freeKeptBuffer && { onRelease: (id: number): void => this.#freeBuffer(id) }),
      onInterrupted: (command) => {
        this.statistics.started(command);
        this.#failInterrupted(command);
      },
      onRecovery: (outcome) => this.#recovered(outcome),
    };
    this.#ring = new CommandRing(
      region,
      listener,
      options.journal && {
        journal: options.journal.journal,
        isIdempotent: (cdb) => this.#isIdempotent(cdb),
        resetRing: options.journal.resetRing,
      },
      options.rings,
    );
    if (commandTimeout > 0) {
      const actions: BudgetActions = {
        report: (command, budgets) => this.#reportSlow(command, budgets * commandTimeout),
        abort: (command) => {
          const message = `the command took longer than ${commandTimeout} ms`;
          command.abort(new DOMException(message, 'TimeoutError'));
        },
        expire: (command) => this.#answerFor(command, scsiStatus.checkCondition),
        ...(options.restart && {
          restart: (command): void =>
            options.restart?.(`command ${command.id} (${hex(command)}) does not end`),
        }),
      };
      this.#budget = new CommandBudget(this.#ring, commandTimeout, actions, options.onTimeout);
    }
  }

  /** The one that serves now. */
  get disk(): Disk {
    return this.unit.disk;
  }

  #wrapped(disk: Disk): Disk {
    const checked = this.#options.checkedBuffers ? checkedDisk(disk) : disk;
    return this.#verbs?.wrap(checked) ?? checked;
  }

  #wrappedOpener(open: DiskOpener): DiskOpener {
    return async (inherited) => this.#wrapped(await open(inherited));
  }

  get state(): DeviceState {
    return this.#state;
  }

  /** Commands taken off the ring and not answered yet. */
  get inFlight(): number {
    return this.#ring.inFlight;
  }

  /**
   * Hear of every command that is answered, in batches.
   * @returns call it to hear no more
   */
  trace(listener: TraceListener): () => void {
    const trace = (this.#trace ??= new CommandTrace(this.unit.commands));
    const stop = trace.listen(listener);
    this.statistics.measureAll = true;
    return () => {
      stop();
      this.statistics.measureAll = trace.active;
    };
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
  resize(size: number): Promise<void> {
    return this.#change(() => this.#resize(size));
  }

  async #resize(size: number): Promise<void> {
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

  /** Run `job` when no other change of the disk is under way. */
  #change<Result>(job: () => Promise<Result>): Promise<Result> {
    const done = this.#changes ? this.#changes.then(job) : job();
    const ended = done.then(
      () => undefined,
      () => undefined,
    );
    this.#changes = ended;
    void ended.then(() => {
      if (this.#changes === ended) this.#changes = undefined;
    });
    return done;
  }

  /**
   * Put another disk in the place of this one, under I/O: commands wait in the kernel meanwhile, and initiators see
   * what changed by unit attentions. Where it cannot be done, the old disk serves on.
   * @throws Error that says why
   */
  replaceDisk(open: DiskOpener, options?: ReplaceOptions): Promise<Replaced> {
    return this.#change(async () => {
      if (this.#state !== 'serving' && this.#state !== 'paused') {
        throw new Error(`${this.name}: a device that is ${this.#state} cannot take another disk`);
      }
      const paused = this.#state === 'paused';
      const { name, unit } = this;
      const replacement = new DiskReplacement(
        {
          name,
          unit,
          log: this.#log,
          quiesce: (patience, force) => this.#stopUsing(patience, force),
          resume: () => {
            unit.resume();
            if (!paused) this.resume();
          },
        },
        this.#wrappedOpener(open),
        this.#reopen && this.#wrappedOpener(this.#reopen),
        options,
      );
      const replaced = await replacement.run();
      this.#reopen = open;
      this.#log.info(
        `${name}: the disk was replaced; commands waited ${replaced.stall.toFixed(1)} ms at most`,
      );
      return replaced;
    });
  }

  /** @returns whether no verb runs any more @throws Error where commands take too long, unless `force` */
  async #stopUsing(patience: number, force: boolean): Promise<boolean> {
    this.#state = 'paused';
    this.#ring.pause();
    if (!(await this.#idleWithin(patience))) {
      const { inFlight } = this.#ring;
      if (!force) throw new Error(`${inFlight} commands still run after ${patience} ms`);
      await this.#abortAll('the disk is replaced');
    }
    if (await endsWithin(this.#ring.late > 0 ? 0 : patience, this.unit.quiesce()))
      return this.#ring.late === 0;
    if (!force) throw new Error(`verbs of the old disk still run after ${patience} ms`);
    return false;
  }

  /** Tell all verbs to stop, and answer BUSY for those that do not, so that the initiator sends them again. */
  async #abortAll(reason: string): Promise<void> {
    for (const command of this.#ring.commands()) command.abort(new DOMException(reason, 'AbortError'));
    if (await this.#idleWithin(ABORT_GRACE)) return;
    for (const command of [...this.#ring.commands()]) this.#answerFor(command, scsiStatus.busy);
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
    if (this.#changes) await this.#changes;
    this.#state = 'closing';
    const steps = new Steps();
    this.#ring.pause();
    if (!(await this.#idleWithin(drainTimeout))) {
      this.#log.warn(
        `${this.name}: ${this.#ring.inFlight} commands still running after ${drainTimeout} ms: aborted`,
      );
      await this.#abortAll('the device is closing');
    }
    steps.done('drain');
    await endsWithin(ABORT_GRACE, this.unit.close());
    this.#budget?.stop();
    this.#verbs?.close();
    this.#state = 'closed';
    this.#trace?.close();
    this.#ring.close();
    this.#options.journal?.close();
    this.#options.onClosed?.();
    steps.done('ring');
    await this.#finishDisk('flush', drainTimeout);
    steps.done('flush');
    if (this.#ring.late > 0) {
      // A verb still holds a view of the region. Unmapping now would let it write into unmapped memory.
      this.#log.error(
        `${this.name}: ${this.#ring.late} verbs never ended; mapping and disk stay open until they do`,
      );
    } else {
      this.#options.region.close();
      steps.done('unmap');
      await this.#finishDisk('close', drainTimeout);
      steps.done('disk');
    }
    this.#log.debug(`${this.name}: closed: ${steps.toString()}`);
  }

  /** Have the disk make stable what was written, while commands go on: what a close has to flush is less then. */
  async flush(patience: number): Promise<void> {
    if (this.#state === 'serving') await this.#finishDisk('flush', patience);
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
    const message = `aborted by a task management function (type ${type})`;
    for (const id of commandIds) this.#ring.find(id)?.abort(new DOMException(message, 'AbortError'));
  }

  #isIdempotent(cdb: Uint8Array): boolean {
    // Another disk may have other commands of its own.
    if (this.#idempotence?.disk !== this.unit.disk) this.#idempotence = new Idempotence(this.unit.disk);
    return this.#idempotence.isIdempotent(cdb);
  }

  /** What the device's commands were when it was opened. */
  #recovered(outcome: RecoveryOutcome): void {
    if (outcome.kind === 'reset') {
      this.#log.warn(
        `${this.name}: the ring was reset, and initiators send their commands again: ${outcome.reason}`,
      );
    } else if (outcome.kind === 'resumed') {
      // To the initiator nothing was powered on: the unit goes on where it was.
      this.unit.attentions.take(lioNexus);
      this.#log.info(`${this.name}: going on with ${outcome.unfinished} unfinished commands`);
    }
  }

  /** A command that must not run twice, and had begun to run when the process before this one died. */
  #failInterrupted(command: RingCommand): void {
    this.#log.warn(
      `${this.name}: command ${command.id} (${hex(command)}) was interrupted, and may not run twice: aborted`,
    );
    const { senseFormat } = this.unit.modes;
    command.complete(
      scsiStatus.checkCondition,
      encodeSense(senseKey.abortedCommand, additionalSense.none, {}, senseFormat),
    );
  }

  #reportSlow(command: RingCommand, milliseconds: number): void {
    this.statistics.timedOut();
    const outcome = this.#options.onTimeout === 'wait' ? '' : ': aborted';
    const where = this.#verbs?.describe(command.context);
    this.#log.error(
      `${this.name}: command ${command.id} (${hex(command)}) took longer than ${milliseconds} ms${outcome}` +
        (where === undefined ? '' : ` (${where})`),
    );
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
    if (!command.keptBuffer) return;
    if (command.context.held) command.context.kept(command.id);
    else this.#freeBuffer(command.id);
  }

  #freeBuffer(commandId: number): void {
    // A device that is being removed must not be touched in configfs, and closing the region frees its buffers.
    if (this.#state === 'closing' || this.#state === 'closed') return;
    try {
      this.#options.freeKeptBuffer?.(commandId);
    } catch (error) {
      this.#log.error(`${this.name}: buffer of command ${commandId} not freed: ${(error as Error).message}`);
    }
  }

  #break(error: RingError): void {
    // Of a region that is kept only for verbs that never end: nobody waits on it any more.
    if (this.#state === 'closed') return;
    if (this.#state !== 'closing') this.#state = 'broken';
    if (error.code === 'REGION_FAILED' && this.#options.isRemoved?.()) {
      this.#log.info(`${this.name}: the kernel has removed the device`);
    } else this.#log.error(`${this.name}: ${error.message}; the device is no longer served`);
    this.#options.onBroken?.(error);
  }
}
