// HOT PATH: scsiCommand() and finish() run for every command.
import { readUint32, writeUint32 } from '../scsi/big-endian.js';
import type { LogicalUnit } from '../scsi/logical-unit.js';
import type { Nexus } from '../scsi/command.js';
import { encodeSense } from '../scsi/sense-data.js';
import { senseKey } from '../scsi/sense.js';
import { scsiStatus } from '../scsi/status.js';
import { answerForAbsentUnit, reportLuns } from './absent-unit.js';
import type { BufferPool } from './buffer-pool.js';
import { decodeCommand } from './command-pdu.js';
import { CommandTask, type TaskOwner } from './command-task.js';
import { CommandOrder } from './command-order.js';
import { CommandWindow } from './command-window.js';
import { dataInSize, prepareDataIn } from './data-in.js';
import { addDataOut, closeDataOut, dataOutFault, requestDataOut, takeDataOutPdu } from './data-out.js';
import type { OperationalParameters } from './negotiation.js';
import { FINAL, IMMEDIATE, pduOpcode, rejectReason, RESERVED_TAG } from './pdu.js';
import type { PduOutput } from './pdu-output.js';
import { residualFlag, ResponseWriter, type Residual } from './response-writer.js';
import type { TargetNode } from './target-node.js';

/** Bounds of one session. */
export interface SessionLimits {
  /** Commands in flight. */
  readonly queueDepth: number;
  /** Bytes of buffers, in either direction. */
  readonly memory: number;
}

/** The target's side of one logged-in session, as its connection sees it. */
export interface SessionTerms {
  readonly initiatorName: string;
  readonly isid: Uint8Array;
  readonly tsih: number;
  /** Undefined in a discovery session. */
  readonly target: TargetNode | undefined;
  readonly nexus: Nexus;
  readonly parameters: OperationalParameters;
  readonly limits: SessionLimits;
  readonly output: PduOutput;
  readonly pool: BufferPool;
  /** CmdSN of the login. */
  readonly cmdSn: number;
  /** StatSN of the last Login Response. */
  readonly statSn: number;
  /** Connection ID. */
  readonly cid: number;
  /** Close the connection. */
  disconnect(reason: string): void;
}

/** Handles requests that are no SCSI commands; made by the connection. */
export interface RequestHandlers {
  text(session: Session, bytes: Buffer, at: number, data: Buffer): void;
  taskManagement(session: Session, bytes: Buffer, at: number): void;
  logout(session: Session, bytes: Buffer, at: number): void;
}

/** SCSI commands beyond the window, which only immediate delivery allows. */
const EXTRA_IMMEDIATE = 64;

/** Data-In of commands that transfer no blocks is at most this long. */
const PARAMETER_DATA = 65536 * 4;

/** A session in its full feature phase (RFC 7143 4.2): numbers, tasks, data. */
export class Session implements TaskOwner {
  readonly terms: SessionTerms;
  readonly window: CommandWindow;
  readonly order: CommandOrder;
  /** By initiator task tag. */
  readonly tasks = new Map<number, CommandTask>();
  closed = false;
  /** Settles as close() does; settled at once before it was called. */
  ended: Promise<void> = Promise.resolve();
  readonly #handlers: RequestHandlers;
  readonly writer: ResponseWriter;
  #lastTag = 0;
  /** Non-immediate commands that have not ended. */
  #outstanding = 0;
  #used = 0;
  readonly #waiting: CommandTask[] = [];
  #pumping = false;
  readonly #free: CommandTask[] = [];
  readonly #residual: Residual = { flags: 0, residual: 0 };

  constructor(terms: SessionTerms, handlers: RequestHandlers) {
    this.terms = terms;
    this.#handlers = handlers;
    this.window = new CommandWindow(terms.cmdSn);
    this.order = new CommandOrder(this.window, this.#execute);
    const { parameters, statSn, output } = terms;
    this.writer = new ResponseWriter(parameters, statSn + 1, this.window, output, () => this.#openWindow());
    this.#openWindow();
  }

  /** Bytes of buffers in use. */
  get memoryInUse(): number {
    return this.#used;
  }

  /** @returns a tag for R2T, NOP-In or Text, never the reserved one */
  readonly nextTag = (): number => {
    this.#lastTag = this.#lastTag >= 0xfffffffe ? 1 : this.#lastTag + 1;
    return this.#lastTag;
  };

  /** A PDU of the full feature phase; parameters as of PduSink. */
  receive(bytes: Buffer, at: number, ahsLength: number, dataStart: number, dataLength: number): void {
    const code = bytes[at] & 0x3f;
    if (code === pduOpcode.dataOut) {
      this.#dataOut(bytes, at, dataStart, dataLength);
    } else if (code > pduOpcode.logoutRequest) {
      const isSnack = code === pduOpcode.snackRequest;
      this.writer.reject(isSnack ? rejectReason.snackReject : rejectReason.commandNotSupported, bytes, at);
    } else if (code === pduOpcode.loginRequest) {
      this.writer.reject(rejectReason.protocolError, bytes, at);
    } else if ((bytes[at] & IMMEDIATE) !== 0) {
      this.#execute(bytes, at, ahsLength, dataStart, dataLength);
    } else {
      this.order.take(bytes, at, ahsLength, dataStart, dataLength);
    }
  }

  readonly #execute = (
    bytes: Buffer,
    at: number,
    ahsLength: number,
    dataStart: number,
    dataLength: number,
  ): void => {
    if (this.closed) return;
    const code = bytes[at] & 0x3f;
    if (code === pduOpcode.scsiCommand) {
      this.#scsiCommand(bytes, at, ahsLength, dataStart, dataLength);
    } else if (code === pduOpcode.nopOut) {
      this.#nopOut(bytes, at, dataStart, dataLength);
    } else if (code === pduOpcode.textRequest) {
      this.#handlers.text(this, bytes, at, bytes.subarray(dataStart, dataStart + dataLength));
    } else if (code === pduOpcode.taskManagementRequest) {
      if (this.terms.target) this.#handlers.taskManagement(this, bytes, at);
      else this.writer.reject(rejectReason.protocolError, bytes, at);
    } else {
      this.#handlers.logout(this, bytes, at);
    }
  };

  #scsiCommand(bytes: Buffer, at: number, ahsLength: number, dataStart: number, dataLength: number): void {
    const itt = readUint32(bytes, at + 16);
    const { target, limits } = this.terms;
    if (!target) return this.writer.reject(rejectReason.protocolError, bytes, at);
    if (this.tasks.has(itt) || itt === RESERVED_TAG) {
      return this.writer.reject(rejectReason.invalidPduField, bytes, at);
    }
    if (this.tasks.size >= limits.queueDepth + EXTRA_IMMEDIATE) {
      return this.writer.reject(rejectReason.immediateCommandReject, bytes, at);
    }
    const task = this.#free.pop() ?? new CommandTask(this);
    if (!decodeCommand(task, bytes, at, ahsLength)) {
      this.#release(task);
      return this.writer.reject(rejectReason.invalidPduField, bytes, at);
    }
    this.tasks.set(itt, task);
    if (!task.immediate) this.#outstanding++;
    if (task.writes) {
      this.#beginDataOut(task, bytes, at, dataStart, dataLength);
    } else {
      if (dataLength > 0) return this.#fault(task, dataOutFault.unexpectedUnsolicitedData);
      this.#start(task);
    }
  }

  /** Bytes of data a command may move here; what asks for more is refused by the unit anyway. */
  #dataLimit(task: CommandTask): number {
    const unit = this.terms.target?.luns.get(task.lun);
    return unit ? Math.max(PARAMETER_DATA, unit.limits.maxTransferBlocks * unit.blockSize) : PARAMETER_DATA;
  }

  #beginDataOut(task: CommandTask, bytes: Buffer, at: number, dataStart: number, dataLength: number): void {
    const { immediateData, initialR2T, firstBurstLength } = this.terms.parameters;
    task.wanted = Math.min(task.expectedLength, this.#dataLimit(task));
    task.unsolicited = (bytes[at + 1] & FINAL) === 0;
    if (dataLength > 0) {
      if (!immediateData) task.dataOutFault = dataOutFault.unexpectedUnsolicitedData;
      else if (dataLength > Math.min(task.wanted, firstBurstLength)) {
        task.dataOutFault = dataOutFault.incorrectAmountOfData;
      } else {
        this.#chargeTask(task, dataLength);
        addDataOut(task, bytes.subarray(dataStart, dataStart + dataLength));
        task.requested = dataLength;
      }
    }
    if (task.unsolicited && initialR2T) {
      task.dataOutFault ||= dataOutFault.unexpectedUnsolicitedData;
      task.unsolicited = false;
    }
    task.state = 'collecting';
    if (!task.unsolicited) this.#dataOutEnded(task);
  }

  #dataOut(bytes: Buffer, at: number, dataStart: number, dataLength: number): void {
    const task = this.tasks.get(readUint32(bytes, at + 16));
    // Of a command that was aborted or has failed: it may have crossed our answer.
    if (task?.state !== 'collecting') return;
    if (task.unsolicited && task.dataOutFault === 0) this.#chargeTask(task, dataLength);
    if (takeDataOutPdu(task, bytes, at, dataStart, dataLength, this.terms.parameters))
      this.#dataOutEnded(task);
  }

  /** A sequence of Data-Out is over: the next one is asked for, or the command starts. */
  #dataOutEnded(task: CommandTask): void {
    if (task.dataOutFault !== 0) return this.#fault(task, task.dataOutFault);
    // The LUN may be gone, or may never have been there: nothing is to be asked for then.
    if (!this.terms.target!.luns.has(task.lun)) task.wanted = task.requested;
    if (task.requested === task.wanted && task.r2ts.length === 0) {
      if (task.r2tSn === 0) this.#start(task);
      else this.#run(task);
    } else if (task.r2tSn === 0) {
      this.#start(task);
    } else {
      this.#request(task);
    }
  }

  #request(task: CommandTask): void {
    task.state = 'collecting';
    requestDataOut(task, this.terms.parameters, this.nextTag, (r2t) => this.writer.sendR2t(task, r2t));
  }

  #fault(task: CommandTask, code: number): void {
    task.state = 'running';
    task.complete(scsiStatus.checkCondition, encodeSense(senseKey.abortedCommand, code, {}, 'fixed'));
  }

  /** Begin what needs memory; where there is none left, the command waits, and those after it. */
  #start(task: CommandTask): void {
    if (this.#waiting.length > 0 || !this.#fits(this.#need(task))) {
      task.state = 'waiting';
      this.#waiting.push(task);
      return;
    }
    this.#proceed(task);
  }

  #fits(need: number): boolean {
    return this.#used === 0 || this.#used + need <= this.terms.limits.memory;
  }

  #need(task: CommandTask): number {
    let need = task.wanted - task.requested;
    if (task.reads)
      need += dataInSize(Math.min(task.expectedReadLength, this.#dataLimit(task)), this.writer.format);
    return need;
  }

  #chargeTask(task: CommandTask, bytes: number): void {
    task.charge += bytes;
    this.#used += bytes;
  }

  #proceed(task: CommandTask): void {
    this.#chargeTask(task, this.#need(task));
    if (task.requested < task.wanted) this.#request(task);
    else this.#run(task);
  }

  #run(task: CommandTask): void {
    const target = this.terms.target!;
    const unit = target.luns.get(task.lun);
    task.state = 'running';
    closeDataOut(task);
    if (task.reads && task.expectedReadLength > 0) {
      const length = Math.min(task.expectedReadLength, this.#dataLimit(task));
      prepareDataIn(task, length, this.writer.format, this.terms.pool);
    }
    // 0xA0: REPORT LUNS is the target's to answer (SPC-4 6.33), unless the unit's own answer is the same.
    if (task.cdb[0] === 0xa0 && !(unit && target.hasOnlyLunZero)) reportLuns(task, target.luns.keys());
    else if (unit) this.#submit(task, unit);
    else answerForAbsentUnit(task);
  }

  #submit(task: CommandTask, unit: LogicalUnit): void {
    const { target, nexus } = this.terms;
    if (target?.observer) {
      task.observed = true;
      target.observer.started(task);
    }
    unit.submit(task, nexus);
  }

  /** A command completed; called once for each, by CommandTask.complete(). */
  finish(
    task: CommandTask,
    status: number,
    sense: Uint8Array | undefined,
    readLength: number | undefined,
  ): void {
    this.#leave(task);
    if (task.observed) this.terms.target?.observer?.completed(task, status, sense);
    const { charge } = task;
    let kept = false;
    if (!this.closed && !task.silent) kept = this.#respond(task, status, sense, readLength);
    if (!kept) {
      if (task.buffer) this.terms.pool.release(task.buffer);
      this.uncharge(charge);
    }
    this.#release(task);
    if (!this.closed) this.writer.flushSoon();
  }

  #leave(task: CommandTask): void {
    if (this.tasks.get(task.itt) === task) this.tasks.delete(task.itt);
    if (!task.immediate) this.#outstanding--;
  }

  #release(task: CommandTask): void {
    task.reset();
    if (this.#free.length < this.terms.limits.queueDepth) this.#free.push(task);
  }

  /** End a command that no logical unit has yet. @param status with one, the initiator is answered */
  drop(task: CommandTask, status?: number): void {
    const index = this.#waiting.indexOf(task);
    if (index >= 0) this.#waiting.splice(index, 1);
    task.state = 'running';
    task.silent = status === undefined;
    this.finish(task, status ?? scsiStatus.taskAborted, undefined, undefined);
  }

  /** Memory came free. */
  uncharge(bytes: number): void {
    this.#used -= bytes;
    if (this.closed) return;
    if (this.#waiting.length > 0 && !this.#pumping) {
      this.#pumping = true;
      while (this.#waiting.length > 0 && this.#fits(this.#need(this.#waiting[0]))) {
        this.#proceed(this.#waiting.shift()!);
      }
      this.#pumping = false;
      this.writer.flushSoon();
    }
    if (this.window.closed) this.#reopen();
  }

  /** A closed window is opened by the next answer; where none is due, by a NOP-In. */
  #reopen(): void {
    if (this.#outstanding > 0) return;
    this.#openWindow();
    if (!this.window.closed) this.writer.sendNopIn(RESERVED_TAG);
  }

  #openWindow(): void {
    const { limits, parameters } = this.terms;
    const byMemory = Math.floor((limits.memory - this.#used) / parameters.firstBurstLength);
    const slots = Math.min(limits.queueDepth - this.#outstanding, byMemory);
    if (slots > 0) this.window.open(slots);
    else if (this.#outstanding === 0 && this.#used === 0) this.window.open(1);
  }

  /** @returns whether the task's buffer and charge went to the output */
  #respond(
    task: CommandTask,
    status: number,
    sense: Uint8Array | undefined,
    readLength: number | undefined,
  ): boolean {
    const good = status === scsiStatus.good;
    const valid =
      good && task.reads && readLength !== undefined ? Math.min(readLength, task.dataIn.byteLength) : 0;
    const residual = this.#computeResidual(task, good, valid);
    if (valid === 0) {
      this.writer.sendResponse(task, status, sense, residual, 0);
      return false;
    }
    this.writer.sendDataIn(task, valid, residual);
    return true;
  }

  /**
   * Residuals (RFC 7143 11.4.5): what the command would transfer, less what the initiator expects.
   * @returns an object that is used again
   */
  #computeResidual(task: CommandTask, good: boolean, valid: number): Residual {
    const residual = this.#residual;
    const expected = task.writes ? task.expectedLength : task.reads ? task.expectedReadLength : 0;
    let presented: number;
    if (task.writes) presented = task.transferLength ?? expected;
    else presented = good ? (task.transferLength ?? valid) : task.reads ? 0 : expected;
    residual.residual = Math.abs(presented - expected);
    residual.flags = 0;
    if (presented > expected) residual.flags = residualFlag.overflow;
    else if (presented < expected) residual.flags = residualFlag.underflow;
    return residual;
  }

  /** NOP-Out (RFC 7143 11.18): an echo, or the answer to our own ping. */
  #nopOut(bytes: Buffer, at: number, dataStart: number, dataLength: number): void {
    const itt = readUint32(bytes, at + 16);
    if (itt === RESERVED_TAG) return;
    const length = Math.min(dataLength, this.terms.parameters.maxSendDataSegmentLength);
    const pdu = this.writer.response(pduOpcode.nopIn, FINAL, itt);
    bytes.copy(pdu, 8, at + 8, at + 16);
    writeUint32(pdu, 20, RESERVED_TAG);
    this.writer.send(pdu, bytes.subarray(dataStart, dataStart + length));
  }

  /**
   * The session is over: nothing is answered any more, commands are aborted.
   * @returns settles when no logical unit is busy with it any more
   */
  close(): Promise<void> {
    if (!this.closed) this.ended = this.#close();
    return this.ended;
  }

  async #close(): Promise<void> {
    this.closed = this.writer.closed = true;
    this.order.clear();
    for (const task of [...this.tasks.values()]) {
      if (task.state === 'collecting' || task.state === 'waiting') this.drop(task);
      else task.silent = true;
    }
    const { target, nexus } = this.terms;
    if (!target) return;
    target.sessions.delete(this);
    await Promise.allSettled([...target.luns.values()].map((unit) => unit.nexusLost(nexus)));
  }
}
