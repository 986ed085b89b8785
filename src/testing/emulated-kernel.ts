import { mailbox, MAX_COMMAND_ID, op, tmrType } from '../ring/abi.js';
import type { RingRegion } from '../ring/region.js';
import { encodeSense } from '../scsi/sense-data.js';
import { additionalSense, senseKey } from '../scsi/sense.js';
import { scsiStatus } from '../scsi/status.js';
import { DataArea } from './data-area.js';
import { EmulatedRegion } from './emulated-region.js';
import { PendingCommand } from './pending-command.js';
import { commandEntrySize, RingWriter, type RingResponse } from './ring-writer.js';
import type { Transport, TransportRequest, TransportResponse } from './transport.js';

export interface EmulatedKernelOptions {
  /** Bytes of the command ring (cmd_ring_size_mb, less the mailbox). Default 64 KiB. */
  readonly ringSize?: number;
  /** Bytes of a data-area block (data_pages_per_blk). Default 4096. */
  readonly blockSize?: number;
  /** Blocks of the data area (max_data_area_mb). Default 4096: 16 MiB. */
  readonly dataBlocks?: number;
  /** Hand out data blocks that do not touch each other, so that commands have many iovecs. */
  readonly fragmented?: boolean;
  /** cmd_time_out in milliseconds; 0 never. Default 30 000. */
  readonly commandTimeout?: number;
  /** qfull_time_out in milliseconds; 0 fails at once, undefined is as commandTimeout. */
  readonly queueFullTimeout?: number;
  /** attribute tmr_notification. Default false. */
  readonly tmrNotification?: boolean;
}

/** A task management function, as tmrType numbers it. */
interface TaskManagement {
  readonly type: number;
  readonly ids: readonly number[];
}

/** Sense data that LIO makes by itself (target_core_transport.c, sense_detail_table). */
const lioSense = {
  communicationFailure: encodeSense(senseKey.notReady, additionalSense.logicalUnitCommunicationFailure),
  invalidField: encodeSense(senseKey.illegalRequest, additionalSense.invalidFieldInCdb),
};

/**
 * The kernel's side of a TCMU device, in TypeScript: mailbox, ring, data area, time-outs, task management and
 * the configfs actions, as drivers/target/target_core_user.c of Linux 6.1 has them. Needs no root and no module.
 *
 * @example
 * const kernel = new EmulatedKernel();
 * const device = new Device({ name: 'test', region: kernel.region, disk, log });
 * device.start();
 * const initiator = new Initiator(kernel);
 */
export class EmulatedKernel implements Transport {
  readonly writer: RingWriter;
  readonly #options: EmulatedKernelOptions;
  readonly #area: DataArea;
  #memory: ArrayBuffer;
  #region: EmulatedRegion;
  /** Commands on the ring, or kept, by cmd_id. */
  readonly #commands = new Map<number, PendingCommand>();
  /** Commands that wait for room. */
  #queue: PendingCommand[] = [];
  #taskManagement: TaskManagement[] = [];
  /** Ring position up to which completions were taken. */
  #cleaned = 0;
  #nextId = 1;
  #broken = false;
  #blocked = false;
  #timer: NodeJS.Timeout | undefined;
  /** When the timer fires, on performance.now()'s clock. */
  #timerDue = Infinity;

  constructor(options: EmulatedKernelOptions = {}) {
    const { ringSize = 64 * 1024, blockSize = 4096, dataBlocks = 4096, fragmented } = options;
    this.#options = options;
    const areaOffset = mailbox.size + ringSize;
    this.#memory = new ArrayBuffer(areaOffset + blockSize * dataBlocks);
    this.writer = new RingWriter(this.#memory, ringSize);
    this.#area = new DataArea(areaOffset, blockSize, dataBlocks, fragmented);
    this.#region = new EmulatedRegion(this.#memory, this);
  }

  /** What the consumer maps. Only one is open at a time. */
  get region(): RingRegion {
    return this.#region;
  }

  /** Mailbox, ring and data area, for tests that look at them or spoil them. */
  get memory(): ArrayBuffer {
    return this.#memory;
  }

  /** The consumer completed a command that does not exist: nothing works until resetRing(). */
  get broken(): boolean {
    return this.#broken;
  }

  /** Commands that wait for room on the ring or in the data area. */
  get queued(): number {
    return this.#queue.length;
  }

  /** Commands on the ring that the consumer has not completed; expired ones are among them. */
  get unfinished(): number {
    let count = 0;
    for (const command of this.#commands.values()) if (!command.kept) count++;
    return count;
  }

  /** cmd_ids whose buffers were kept. */
  get keptBuffers(): number[] {
    return [...this.#commands.values()].filter((command) => command.kept).map((command) => command.id);
  }

  get freeDataBlocks(): number {
    return this.#area.free;
  }

  /** Entries from tail to head that are neither PAD nor TMR. */
  get entriesOnRing(): number {
    let count = 0;
    for (let at = this.writer.tail; at !== this.writer.head;) {
      const { response, next } = this.writer.readResponse(at);
      if (response.op !== op.pad && response.op !== op.taskManagement) count++;
      at = next;
    }
    return count;
  }

  /** Queue a command, as LIO does. */
  queue(request: TransportRequest & { readonly bidirectional?: boolean }): PendingCommand {
    const command = new PendingCommand(request);
    if (this.#blocked) command.answer(scsiStatus.busy);
    else if (this.#broken) command.answer(scsiStatus.checkCondition, lioSense.communicationFailure);
    else if (!this.#fitsAtAll(command)) command.answer(scsiStatus.checkCondition, lioSense.invalidField);
    else if (this.#queue.length > 0 || !this.#putOnRing(command)) this.#wait(command);
    return command;
  }

  send(request: TransportRequest): Promise<TransportResponse> {
    return this.queue(request).done;
  }

  /** ABORT TASK. The command still has to be completed by the consumer, if it is on the ring. */
  abortTask(command: PendingCommand): void {
    this.#manageTasks(tmrType.abortTask, [command]);
  }

  /** LOGICAL UNIT RESET: every command. */
  lunReset(): void {
    this.#manageTasks(tmrType.lunReset, [...this.#commands.values(), ...this.#queue]);
  }

  /** action/block_dev: finished commands are completed, waiting ones fail with BUSY, as do new ones. */
  blockDevice(blocked: boolean): void {
    if (blocked) {
      this.#takeCompletions();
      for (const command of this.#queue.splice(0)) command.answer(scsiStatus.busy);
    }
    this.#blocked = blocked;
  }

  /** action/reset_ring: 1 ends every command with BUSY, 2 with CHECK CONDITION; the ring is empty then. */
  resetRing(level: 1 | 2): void {
    this.#broken = false;
    for (const command of this.#commands.values()) {
      command.answer(level === 1 ? scsiStatus.busy : scsiStatus.checkCondition);
      this.#release(command);
    }
    this.#taskManagement = [];
    this.writer.head = this.writer.tail = this.#cleaned = 0;
    this.#runQueues();
  }

  /** action/free_kept_buf. @throws Error EINVAL where this id has no kept buffer */
  freeKeptBuffer(id: number): void {
    const command = this.#commands.get(id);
    if (!command?.kept) {
      throw Object.assign(new Error(`EINVAL: command ${id} has no kept buffer`), { code: 'EINVAL' });
    }
    this.#release(command);
    this.#runQueues();
  }

  /**
   * Open the device again, after the consumer's close() or death: ring and data are as they were.
   * @throws Error EBUSY while the region is open
   */
  reopen(): RingRegion {
    if (this.#region.isOpen) throw Object.assign(new Error('EBUSY: the device is open'), { code: 'EBUSY' });
    this.#region = new EmulatedRegion(this.#memory, this);
    if (this.writer.head !== this.writer.tail) this.#region.wake();
    return this.#region;
  }

  /** Put an entry on the ring as it stands, good or bad. */
  injectEntry(bytes: Uint8Array): void {
    this.writer.writeRaw(bytes);
    this.#region.wake();
  }

  /** Remove the device while it is open: the consumer's descriptor fails. */
  removeDevice(): void {
    this.#blocked = true;
    this.#region.fail(Object.assign(new Error('EIO: the device was removed'), { code: 'EIO' }));
  }

  /** The consumer rang: not to be called by tests. */
  doorbell(): void {
    this.#takeCompletions();
    this.#runQueues();
  }

  /** The consumer closed: kept buffers are freed. The memory moves on, so that views of it are detached. */
  closed(): void {
    for (const command of [...this.#commands.values()]) if (command.kept) this.#release(command);
    this.#memory = structuredClone(this.#memory, { transfer: [this.#memory] });
    this.writer.memory = this.#memory;
    this.#runQueues();
  }

  /** Whether an empty ring and an empty data area would hold it. */
  #fitsAtAll({ request }: PendingCommand): boolean {
    const blocks = this.#lengths(request).reduce(
      (sum, bytes) => sum + Math.ceil(bytes / this.#area.blockSize),
      0,
    );
    return (
      blocks <= this.#area.blocks && commandEntrySize(blocks, request.cdb.length) <= this.writer.ringSize / 2
    );
  }

  /** Bytes of the data buffer and of the BIDI buffer. */
  #lengths({ dataOut, dataInLength = 0, bidirectional }: PendingCommand['request']): [number, number] {
    if (bidirectional) return [dataOut?.length ?? 0, dataInLength];
    return [dataOut?.length ?? dataInLength, 0];
  }

  #putOnRing(command: PendingCommand): boolean {
    const { request } = command;
    const [dataLength, bidiLength] = this.#lengths(request);
    const dataBlocks = this.#area.allocate(dataLength);
    const bidiBlocks = dataBlocks && this.#area.allocate(bidiLength);
    const data = this.#area.runs(dataBlocks ?? [], dataLength);
    const bidi = this.#area.runs(bidiBlocks ?? [], bidiLength);
    const size = commandEntrySize(data.length + bidi.length, request.cdb.length);
    if (!dataBlocks || !bidiBlocks || !this.writer.hasRoom(size, this.#cleaned)) {
      this.#area.release(dataBlocks ?? []);
      this.#area.release(bidiBlocks ?? []);
      return false;
    }
    command.dataBlocks = dataBlocks;
    command.bidiBlocks = bidiBlocks;
    command.id = this.#allocateId();
    let at = 0;
    for (const { offset, length } of request.dataOut ? data : []) {
      new Uint8Array(this.#memory, offset, length).set(request.dataOut!.subarray(at, at + length));
      at += length;
    }
    this.writer.writeCommand(command.id, request.cdb, data, bidi);
    this.#commands.set(command.id, command);
    this.#setDeadline(command, this.#options.commandTimeout ?? 30_000);
    this.#region.wake();
    return true;
  }

  #allocateId(): number {
    while (this.#commands.has(this.#nextId)) this.#nextId = (this.#nextId % MAX_COMMAND_ID) + 1;
    const id = this.#nextId;
    this.#nextId = (id % MAX_COMMAND_ID) + 1;
    return id;
  }

  /** Wait for room, or fail: tcmu_queue_cmd where queue_cmd_ring found none. */
  #wait(command: PendingCommand): void {
    const { queueFullTimeout, commandTimeout } = this.#options;
    // TCM_OUT_OF_RESOURCES, which target_core_transport turns into this status.
    if (queueFullTimeout === 0) return command.answer(scsiStatus.taskSetFull);
    this.#queue.push(command);
    this.#setDeadline(command, queueFullTimeout ?? (commandTimeout || 30_000));
  }

  /** There may be room now. */
  #runQueues(): void {
    if (this.#broken || !this.#putTaskManagementOnRing()) return;
    while (this.#queue.length > 0 && this.#putOnRing(this.#queue[0])) this.#queue.shift();
  }

  /** @returns whether all of it found room */
  #putTaskManagementOnRing(): boolean {
    while (this.#taskManagement.length > 0) {
      const { type, ids } = this.#taskManagement[0];
      if (!this.writer.hasRoom(RingWriter.taskManagementSize(ids.length), this.#cleaned)) return false;
      this.#taskManagement.shift();
      this.writer.writeTaskManagement(type, ids);
      this.#region.wake();
    }
    return true;
  }

  #takeCompletions(): void {
    while (!this.#broken && this.#cleaned !== this.writer.tail) {
      const { response, next } = this.writer.readResponse(this.#cleaned);
      // An op the consumer does not know is a command's all the same: its cmd_id counts.
      const isCommand = response.op !== op.pad && response.op !== op.taskManagement;
      if (isCommand && !this.#complete(response)) return;
      this.#cleaned = next;
    }
  }

  /** @returns false where it broke the ring */
  #complete(response: RingResponse): boolean {
    const command = this.#commands.get(response.id);
    if (!command || command.kept) {
      this.#broken = true;
      return false;
    }
    if (!command.expired) this.#answer(command, response);
    if (response.keepBuffer) {
      command.kept = true;
      command.deadline = Infinity;
    } else this.#release(command);
    return true;
  }

  #answer(command: PendingCommand, { status, sense, unknownOp, readLength }: RingResponse): void {
    if (command.aborted) return command.answer(scsiStatus.taskAborted);
    if (unknownOp) return command.answer(scsiStatus.checkCondition);
    const { dataOut, dataInLength = 0, bidirectional } = command.request;
    const reads = bidirectional === true || dataOut === undefined;
    // READ_LEN counts only for reads, and only where it is not 0.
    const valid = reads && !bidirectional && readLength ? Math.min(readLength, dataInLength) : undefined;
    const failed = status === scsiStatus.checkCondition;
    const length = failed ? (valid ?? 0) : (valid ?? dataInLength);
    const dataIn = reads ? this.#gather(command, length) : undefined;
    command.answer(status, failed ? sense : undefined, dataIn);
  }

  #gather({ request, dataBlocks, bidiBlocks }: PendingCommand, length: number): Uint8Array<ArrayBuffer> {
    const data = new Uint8Array(length);
    let at = 0;
    for (const run of this.#area.runs(request.bidirectional ? bidiBlocks : dataBlocks, length)) {
      data.set(new Uint8Array(this.#memory, run.offset, run.length), at);
      at += run.length;
    }
    return data;
  }

  #release(command: PendingCommand): void {
    this.#commands.delete(command.id);
    this.#area.release(command.dataBlocks);
    this.#area.release(command.bidiBlocks);
    if (this.#commands.size === 0 && this.#queue.length === 0) {
      this.#disarmTimer();
    }
  }

  #manageTasks(type: number, commands: readonly PendingCommand[]): void {
    const queued = commands.filter((command) => this.#queue.includes(command));
    this.#queue = this.#queue.filter((command) => !queued.includes(command));
    for (const command of queued) command.answer(scsiStatus.taskAborted);
    const onRing = commands.filter(
      (command) => this.#commands.get(command.id) === command && !command.kept && !command.expired,
    );
    for (const command of onRing) command.aborted = true;
    // Told even where none of them is on the ring, as the kernel does.
    if (this.#options.tmrNotification && !this.#broken) {
      this.#taskManagement.push({ type, ids: onRing.map((command) => command.id) });
      this.#putTaskManagementOnRing();
    }
  }

  #setDeadline(command: PendingCommand, timeout: number): void {
    command.deadline = timeout === 0 ? Infinity : performance.now() + timeout;
    this.#armTimer(command.deadline);
  }

  /** One timer for all commands, as the kernel has: it looks again when it fires. */
  #armTimer(due: number): void {
    if (due >= this.#timerDue) return;
    clearTimeout(this.#timer);
    this.#timerDue = due;
    this.#timer = setTimeout(() => this.#expire(), Math.max(1, due - performance.now())).unref();
  }

  #disarmTimer(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#timerDue = Infinity;
  }

  #expire(): void {
    this.#disarmTimer();
    const now = performance.now();
    for (const command of this.#commands.values()) {
      if (command.deadline > now) continue;
      command.deadline = Infinity;
      command.expired = true;
      command.answer(scsiStatus.checkCondition);
    }
    const late = this.#queue.filter((command) => command.deadline <= now);
    this.#queue = this.#queue.filter((command) => command.deadline > now);
    for (const command of late) command.answer(scsiStatus.taskSetFull);
    this.#armTimer(Math.min(...[...this.#commands.values(), ...this.#queue].map(({ deadline }) => deadline)));
  }
}
