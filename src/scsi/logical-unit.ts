// HOT PATH: submit() runs for every command; nothing in it allocates where a verb answers in the same turn.
import { Background } from './background.js';
import { deviceType, type CommandDefinition, type Result, type UnitFeatures } from './command-definition.js';
import { commandTable } from './command-table.js';
import { checkCommand, unknownCommand } from './command-checks.js';
import { CommandSet } from './command-set.js';
import { vendorCommands } from './commands/vendor.js';
import type { Nexus, ScsiCommand } from './command.js';
import { CopyManager } from './copy-manager.js';
import { isPromise } from './data-transfer.js';
import type { Disk } from './disk.js';
import { attentionsOfChange } from './disk-change.js';
import { describeFailure, isTransient, toSenseError } from './errno.js';
import type { LogicalUnitOptions } from './logical-unit-options.js';
import { Medium } from './medium.js';
import { MemoryCommand, type ExecuteOptions, type Response } from './memory-command.js';
import { ModePages } from './mode-pages.js';
import { ProvisioningThresholds } from './provisioning-threshold.js';
import { RangeLock } from './range-lock.js';
import { Settlements } from './settlement.js';
import { Reservations } from './reservations.js';
import { encodeSense } from './sense-data.js';
import { additionalSense, senseKey, StatusError } from './sense.js';
import { scsiStatus } from './status.js';
import { Statistics } from './statistics.js';
import type { TargetPortGroups } from './target-port-groups.js';
import { TaskSet } from './task-set.js';
import { ThirdPartyCopy } from './third-party-copy.js';
import { hasWriteCache, type Unit, type UnitIdentity, type UnitLimits } from './unit.js';
import { UnitAttentions } from './unit-attention.js';
import { unitLimits } from './unit-limits.js';

/** What commands of `execute` come over unless they name another. */
const localNexus: Nexus = { name: 'local' };

function isBlockSize(value: number): boolean {
  return value >= 512 && value <= 65536 && Number.isInteger(Math.log2(value));
}

function checkSize(size: number, blockSize: number): void {
  if (Number.isSafeInteger(size) && size >= blockSize && size % blockSize === 0) return;
  throw new RangeError(`size ${size} is not a positive multiple of the block size ${blockSize}`);
}

function checkDisk(disk: Disk, blockSize: number): void {
  checkSize(disk.size, blockSize);
  if (typeof disk.read !== 'function') throw new TypeError('the disk has no `read`');
}

/**
 * A logical unit (SAM-5 4.8): decodes commands, runs a disk's verbs, answers. No I/O of its own.
 *
 * @example
 * const unit = new LogicalUnit({ size: 1 << 20, read: (buffer, offset) => buffer.fill(0) && undefined });
 * const { status, dataIn } = await unit.execute(Uint8Array.of(0x12, 0, 0, 0, 96, 0));
 */
export class LogicalUnit implements Unit {
  disk: Disk;
  readonly blockSize: number;
  readonly identity: UnitIdentity;
  limits: UnitLimits;
  readonly modes: ModePages;
  readonly attentions = new UnitAttentions();
  readonly locks = new RangeLock();
  commands: CommandSet;
  readonly tasks = new TaskSet();
  readonly reservations: Reservations;
  readonly background = new Background();
  readonly medium: Medium;
  readonly copy: ThirdPartyCopy;
  readonly statistics = new Statistics();
  readonly portGroups: TargetPortGroups | undefined;
  thresholds: ProvisioningThresholds | undefined;
  readonly pause: () => void | Promise<void>;
  readonly #options: LogicalUnitOptions;
  readonly #log: (message: string) => void;
  readonly #unlisten: (() => void) | undefined;
  readonly #settlements = new Settlements({
    succeed: (command, definition, nexus, valid) =>
      this.#succeed(command, definition, nexus, valid as number | undefined),
    fail: (command, definition, nexus, error) => this.#fail(command, definition, nexus, error),
  });
  #size: number;

  /** @throws TypeError or RangeError where the disk is not one (size, block size, vendor commands) */
  constructor(disk: Disk, options: LogicalUnitOptions = {}) {
    const blockSize = disk.blockSize ?? 512;
    if (!isBlockSize(blockSize)) {
      throw new RangeError(`block size ${blockSize} is not a power of two from 512 to 65536`);
    }
    checkDisk(disk, blockSize);
    const { vendor = 'LUNETTE', product = 'DISK', revision = '0001', serial = 'lunette' } = options;
    this.disk = disk;
    this.blockSize = blockSize;
    this.#size = disk.size;
    this.#log = options.log ?? ((): void => undefined);
    this.pause = options.pause ?? ((): void => undefined);
    this.identity = {
      vendor,
      product,
      revision,
      serial: typeof serial === 'function' ? serial : () => serial,
    };
    this.limits = unitLimits(disk, blockSize, options);
    this.portGroups = options.portGroups;
    this.#unlisten = this.portGroups?.listen((by) => {
      this.attentions.establish(additionalSense.asymmetricAccessStateChanged, by);
    });
    this.medium = new Medium(options.removable ?? false);
    this.modes = new ModePages(disk, options.modeStore, this.#log);
    this.thresholds = this.#thresholdsOf(disk);
    this.reservations = new Reservations({
      attentions: this.attentions,
      store: options.reservationStore,
      log: (message) => this.#report(message),
    });
    this.#options = options;
    this.commands = this.#commandsOf(disk);
    this.copy = new ThirdPartyCopy(this, options.copyManager ?? new CopyManager());
  }

  get blocks(): number {
    return Math.floor(this.#size / this.blockSize);
  }

  #commandsOf(disk: Disk): CommandSet {
    const features: UnitFeatures = {
      removable: this.medium.removable,
      portGroups: this.portGroups !== undefined,
      longCommands: this.#options.longCommands ?? false,
    };
    return new CommandSet([
      ...commandTable.filter(
        ({ deviceTypes, available }) =>
          deviceTypes.includes(deviceType.directAccess) && (available?.(disk, features) ?? true),
      ),
      ...vendorCommands(disk),
    ]);
  }

  #thresholdsOf(disk: Disk): ProvisioningThresholds | undefined {
    if (!disk.unmap || !disk.usage) return undefined;
    return new ProvisioningThresholds(disk, this.blockSize, this.modes, this.attentions);
  }

  /**
   * Hold back every command that comes. Commands that were started go on.
   * @returns fulfilled when those have ended, and flushes that were answered early
   */
  async quiesce(): Promise<void> {
    await this.tasks.pause();
    await this.background.settled();
  }

  /** End quiesce(): what was held back is started, in the order it came. */
  resume(): void {
    this.tasks.resume();
  }

  /**
   * Another disk under the same logical unit: reservations, mode pages and what initiators were told stay. What they
   * can see of the change raises unit attention conditions (SAM-5 5.14). Only between quiesce() and resume(); nothing
   * was changed where it throws.
   * @throws RangeError or TypeError where the disk cannot take the other's place; Error with code `EBUSY` while a
   * FORMAT UNIT, SANITIZE or copy works on the old one
   */
  replaceDisk(disk: Disk): void {
    const { blockSize } = this;
    if ((disk.blockSize ?? 512) !== blockSize) {
      throw new RangeError(
        `the new disk has blocks of ${disk.blockSize ?? 512} bytes, the unit's are ${blockSize}`,
      );
    }
    checkDisk(disk, blockSize);
    this.checkReplaceable();
    const commands = this.#commandsOf(disk);
    const before = { disk: this.disk, commands: this.commands, size: this.#size };
    const codes = attentionsOfChange(before, { disk, commands, size: disk.size }, blockSize);
    this.disk = disk;
    this.#size = disk.size;
    this.commands = commands;
    this.limits = unitLimits(disk, blockSize, this.#options);
    this.modes.adapt(disk);
    this.thresholds = this.#thresholdsOf(disk);
    // Tokens stand for data that this disk need not have.
    this.copy.overwritten(0, Infinity);
    for (const code of codes) this.attentions.establish(code);
  }

  /** @throws Error with code `EBUSY` while something that outlives its command works on the disk */
  checkReplaceable(): void {
    const busy = this.background.running ?? (this.copy.busy ? 'copy' : undefined);
    if (busy !== undefined) throw Object.assign(new Error(`a ${busy} is in progress`), { code: 'EBUSY' });
  }

  /**
   * Enable or disable the write cache from outside, as MODE SELECT would; initiators learn of it.
   * @throws Error with code `EOPNOTSUPP` where the disk has none that could be enabled
   */
  setWriteCache(enabled: boolean): void {
    if (this.modes.writeCacheEnabled === enabled) return;
    if (enabled && !hasWriteCache(this.disk)) {
      throw Object.assign(new Error('the disk has no write cache'), { code: 'EOPNOTSUPP' });
    }
    this.modes.setWriteCache(enabled);
    this.attentions.establish(additionalSense.modeParametersChanged);
  }

  /**
   * Tell initiators that the disk's size is another one. Noticed without a call when the next command comes.
   * @throws RangeError where it is no size a disk can have
   */
  capacityChanged(): void {
    const { size } = this.disk;
    if (size === this.#size) return;
    checkSize(size, this.blockSize);
    this.#size = size;
    this.attentions.establish(additionalSense.capacityDataHasChanged);
  }

  /**
   * Run a command. Never throws, and leads to exactly one complete(), whatever the disk does. Where the disk's
   * verb answers in the same turn, so does this.
   */
  submit(command: ScsiCommand, nexus: Nexus): void {
    if (this.tasks.mayStart(command)) this.#start(command, nexus);
    else this.tasks.hold(command, nexus, () => this.#start(command, nexus));
  }

  #start(command: ScsiCommand, nexus: Nexus): void {
    const { cdb } = command;
    let definition: CommandDefinition | undefined;
    let result: Result;
    try {
      if (this.disk.size !== this.#size) this.capacityChanged();
      command.transferLength = 0;
      definition = this.commands.decode(cdb);
      if (definition === undefined) throw unknownCommand(this.commands, command);
      checkCommand(this, command, definition, nexus);
      if (!this.copy.idle) this.copy.commandStarts(command, definition);
      result = definition.execute(this, command, definition, nexus);
      if (isPromise(result)) {
        this.tasks.add(command, nexus);
        this.#settlements.await(command, definition, nexus, result);
        return;
      }
    } catch (error) {
      this.#fail(command, definition, nexus, error);
      return;
    }
    this.#succeed(command, definition, nexus, result as number | undefined);
  }

  /**
   * Run a command on buffers of one's own.
   * @param cdb 1 to 260 bytes
   */
  execute(cdb: Uint8Array, dataOut?: Uint8Array, options: ExecuteOptions = {}): Promise<Response> {
    const command = new MemoryCommand(cdb, dataOut, options);
    this.submit(command, options.nexus ?? localNexus);
    return command.response;
  }

  /**
   * ABORT TASK (SAM-5 7.2). Nothing where the command has ended.
   * @returns fulfilled when it has ended, as are the others here
   */
  async abort(command: ScsiCommand): Promise<void> {
    const reason = 'aborted by ABORT TASK';
    await this.tasks.abort((candidate) => candidate === command, { reason, reported: false }).done;
  }

  /** ABORT TASK SET (SAM-5 7.3): all commands of `nexus`. */
  async abortTaskSet(nexus: Nexus): Promise<void> {
    const reason = 'aborted by ABORT TASK SET';
    await this.tasks.abort((_command, from) => from === nexus, { reason, reported: false }).done;
  }

  /** CLEAR TASK SET (SAM-5 7.5): the commands of every nexus. The others learn of it as TAS says. */
  clearTaskSet(nexus: Nexus): Promise<void> {
    return this.#abortAll('aborted by CLEAR TASK SET', nexus);
  }

  /**
   * LOGICAL UNIT RESET (SAM-5 6.3.3), also for a reset of the target.
   * @param nexus that asked for it; it gets the unit attention as well
   */
  async reset(nexus?: Nexus): Promise<void> {
    const reported = this.modes.taskAbortedStatus;
    const { done } = this.tasks.abort(() => true, {
      reason: 'the logical unit was reset',
      by: nexus,
      reported,
    });
    this.modes.restore();
    this.medium.allowRemoval();
    if (this.medium.power !== 'stopped') this.medium.power = 'active';
    this.reservations.reset();
    this.copy.reset();
    this.attentions.establish(additionalSense.busDeviceResetFunctionOccurred);
    await done;
  }

  /** I_T nexus loss (SAM-5 6.3.4): the session is gone. */
  async nexusLost(nexus: Nexus): Promise<void> {
    const reason = 'the I_T nexus was lost';
    this.medium.allowRemoval(nexus);
    this.background.forget(nexus);
    this.reservations.nexusLost(nexus);
    await this.tasks.abort((_command, from) => from === nexus, { reason, reported: false }).done;
  }

  /** Abort what comes over `nexus` and over all others; those are told by TASK ABORTED or by a unit attention. */
  async #abortAll(reason: string, by: Nexus, only?: Nexus): Promise<void> {
    const reported = this.modes.taskAbortedStatus;
    const matches = (_command: ScsiCommand, from: Nexus): boolean => only === undefined || from === only;
    const { nexuses, done } = this.tasks.abort(matches, { reason, by, reported });
    if (!reported) {
      for (const nexus of nexuses) {
        if (nexus !== by) {
          this.attentions.establishFor(nexus, additionalSense.commandsClearedByAnotherInitiator);
        }
      }
    }
    await done;
  }

  /**
   * End what goes on in the background: a FORMAT UNIT or SANITIZE is aborted, flushes are waited for. No command
   * may come any more. Never rejects.
   */
  async close(): Promise<void> {
    this.#unlisten?.();
    await Promise.all([this.copy.close(), this.background.stop()]);
  }

  #succeed(
    command: ScsiCommand,
    definition: CommandDefinition,
    nexus: Nexus,
    valid: number | undefined,
  ): void {
    this.statistics.succeeded(definition, command.transferLength ?? 0);
    if (this.thresholds !== undefined && definition.activity === 'write') this.#checkThresholds(nexus);
    // Only Data-In has a length: what another verb returns besides means nothing.
    let readLength: number | undefined;
    if (definition.readsBlocks) readLength = Math.min(command.transferLength!, command.dataIn.byteLength);
    else if (definition.direction === 'in') readLength = valid;
    this.#answer(command, scsiStatus.good, undefined, readLength);
  }

  #checkThresholds(nexus: Nexus): void {
    try {
      this.thresholds?.check(nexus);
    } catch (error) {
      this.#report(`usage() failed: ${describeFailure(error)}`);
    }
  }

  #answer(command: ScsiCommand, status: number, sense?: Uint8Array, readLength?: number): void {
    if (this.tasks.size === 0) command.complete(status, sense, readLength);
    else this.tasks.answer(command, status, sense, readLength);
  }

  /** Whatever `error` is, and whatever reading it does, the command is answered. */
  #fail(command: ScsiCommand, definition: CommandDefinition | undefined, nexus: Nexus, error: unknown): void {
    let status: number = scsiStatus.checkCondition;
    let sense: Uint8Array | undefined;
    if (error instanceof StatusError) return this.#answer(command, error.status);
    try {
      const known = toSenseError(error, definition?.activity ?? 'other');
      if (known) sense = encodeSense(known.key, known.code, known.details, this.modes.senseFormat);
      if (known && definition) this.statistics.failed(definition, known.key);
      else if (isTransient(error)) status = scsiStatus.busy;
    } catch {
      // Not even its properties can be read: a fault of the handler, as below.
    }
    if (!sense && status !== scsiStatus.busy) {
      this.#report(`${definition?.name ?? 'a command'} failed: ${describeFailure(error)}`);
      const { hardwareError } = senseKey;
      this.statistics.nonMediumErrors++;
      sense = encodeSense(hardwareError, additionalSense.internalTargetFailure, {}, this.modes.senseFormat);
    }
    this.#answer(command, status, sense);
    if (sense && this.tasks.size > 0) this.#afterCheckCondition(nexus);
  }

  /** QERR of the control mode page (SPC-4 7.5.8): what an error does to the other commands. */
  #afterCheckCondition(nexus: Nexus): void {
    const { queueErrorManagement } = this.modes;
    if (queueErrorManagement === 'none') return;
    const only = queueErrorManagement === 'nexus' ? nexus : undefined;
    void this.#abortAll('aborted by the error of another command (QERR)', nexus, only);
  }

  #report(message: string): void {
    try {
      this.#log(message);
    } catch {
      // A log that fails must not keep a command from its answer.
    }
  }
}
