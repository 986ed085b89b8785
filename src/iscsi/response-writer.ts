// HOT PATH: the answers of a session.
import { writeUint24, writeUint32 } from '../scsi/big-endian.js';
import type { CommandTask } from './command-task.js';
import type { CommandWindow } from './command-window.js';
import { appendDigest } from './crc32c.js';
import { formatDataIn, type DataInFormat } from './data-in.js';
import type { R2t } from './data-out.js';
import { encodeLun } from './lun.js';
import type { OperationalParameters } from './negotiation.js';
import { BHS_LENGTH, FINAL, paddedLength, pduOpcode, RESERVED_TAG } from './pdu.js';
import type { PduOutput } from './pdu-output.js';

/** Residual flags of a SCSI Response (RFC 7143 11.4.1); the first two also of Data-In. */
export const residualFlag = {
  underflow: 0x02,
  overflow: 0x04,
  readUnderflow: 0x08,
  readOverflow: 0x10,
} as const;

/** Flags and count of what a command moved less, or would have moved more, than the initiator expects. */
export interface Residual {
  flags: number;
  residual: number;
}

/** Writes the PDUs of a session: status numbers, command window, digests. */
export class ResponseWriter {
  readonly format: DataInFormat;
  /** Nothing leaves any more. */
  closed = false;
  readonly #window: CommandWindow;
  readonly #output: PduOutput;
  readonly #openWindow: () => void;
  readonly #numbers = { statSn: 0, expCmdSn: 0, maxCmdSn: 0 };
  #statSn: number;
  #turn = false;

  /**
   * @param statSn the next status number
   * @param openWindow called before the window's numbers are written
   */
  constructor(
    parameters: OperationalParameters,
    statSn: number,
    window: CommandWindow,
    output: PduOutput,
    openWindow: () => void,
  ) {
    this.#statSn = statSn >>> 0;
    this.#window = window;
    this.#output = output;
    this.#openWindow = openWindow;
    this.format = {
      headerDigest: parameters.headerDigest === 'CRC32C',
      dataDigest: parameters.dataDigest === 'CRC32C',
      // A getter: a Text request may declare another one.
      get segmentLength() {
        return parameters.maxSendDataSegmentLength;
      },
      burstLength: parameters.maxBurstLength,
    };
  }

  /** A turn of reading begins: answers are kept until it ends. */
  beginTurn(): void {
    this.#turn = true;
  }

  endTurn(): void {
    this.#turn = false;
    this.#output.flush();
  }

  /** Answers that come outside of a turn of reading leave soon. */
  flushSoon(): void {
    if (!this.#turn) this.#output.schedule();
  }

  /**
   * A header with the session's numbers filled in.
   * @param counts whether it takes a status number; R2T and NOP-In pings do not
   */
  response(code: number, flags: number, itt: number, counts = true): Buffer {
    const pdu = Buffer.alloc(BHS_LENGTH);
    this.#openWindow();
    pdu[0] = code;
    pdu[1] = flags;
    writeUint32(pdu, 16, itt);
    writeUint32(pdu, 24, this.#statSn);
    writeUint32(pdu, 28, this.#window.expected);
    writeUint32(pdu, 32, this.#window.max);
    if (counts) this.#statSn = (this.#statSn + 1) >>> 0;
    return pdu;
  }

  /** Queue a header, with a data segment where one is given. */
  send(header: Buffer, data?: Uint8Array): void {
    if (this.closed) return;
    const { headerDigest, dataDigest } = this.format;
    const length = data?.length ?? 0;
    if (length === 0 && !headerDigest) return this.#output.push(header);
    const start = BHS_LENGTH + (headerDigest ? 4 : 0);
    const padded = paddedLength(length);
    const pdu = Buffer.alloc(start + padded + (dataDigest && length > 0 ? 4 : 0));
    writeUint24(header, 5, length);
    pdu.set(header);
    if (headerDigest) appendDigest(pdu, 0, BHS_LENGTH);
    if (data && length > 0) {
      pdu.set(data, start);
      if (dataDigest) appendDigest(pdu, start, start + padded);
    }
    this.#output.push(pdu);
  }

  /**
   * Send the task's Data-In, and with it the status GOOD where there is no Data-Out.
   * @param valid bytes, more than 0
   */
  sendDataIn(task: CommandTask, valid: number, residual: Residual): void {
    const numbers = this.#numbers;
    this.#openWindow();
    numbers.expCmdSn = this.#window.expected;
    numbers.maxCmdSn = this.#window.max;
    numbers.statSn = this.#statSn;
    const collapse = !task.writes;
    if (collapse) this.#statSn = (this.#statSn + 1) >>> 0;
    const pdus = formatDataIn(task, valid, this.format, numbers, collapse ? residual : undefined);
    this.#output.push(pdus, task.buffer, task.charge);
    if (!collapse) this.sendResponse(task, 0, undefined, residual, valid);
  }

  /**
   * SCSI Response (RFC 7143 11.4).
   * @param read bytes of Data-In that were sent
   */
  sendResponse(
    task: CommandTask,
    status: number,
    sense: Uint8Array | undefined,
    { flags, residual }: Residual,
    read: number,
  ): void {
    const response = this.response(pduOpcode.scsiResponse, FINAL | flags, task.itt);
    response[3] = status;
    writeUint32(response, 44, residual);
    if (task.reads && task.writes && read < task.expectedReadLength) {
      response[1] |= residualFlag.readUnderflow;
      writeUint32(response, 40, task.expectedReadLength - read);
    }
    if (!sense || sense.length === 0) return this.send(response);
    const data = Buffer.alloc(2 + sense.length);
    data[0] = sense.length >> 8;
    data[1] = sense.length;
    data.set(sense, 2);
    this.send(response, data);
  }

  /** Ready To Transfer (RFC 7143 11.8). */
  sendR2t(task: CommandTask, { ttt, r2tSn, offset, length }: R2t): void {
    const pdu = this.response(pduOpcode.readyToTransfer, FINAL, task.itt, false);
    encodeLun(task.lun, pdu, 8);
    writeUint32(pdu, 20, ttt);
    writeUint32(pdu, 36, r2tSn);
    writeUint32(pdu, 40, offset);
    writeUint32(pdu, 44, length);
    this.send(pdu);
    this.flushSoon();
  }

  /** NOP-In (RFC 7143 11.19). @param ttt with another than the reserved tag it asks for an answer */
  sendNopIn(ttt: number): void {
    const pdu = this.response(pduOpcode.nopIn, FINAL, RESERVED_TAG, false);
    writeUint32(pdu, 20, ttt);
    this.send(pdu);
    this.flushSoon();
  }

  /** Refuse a PDU (RFC 7143 11.17). */
  reject(reason: number, bytes: Buffer, at: number): void {
    const pdu = this.response(pduOpcode.reject, FINAL, RESERVED_TAG);
    pdu[2] = reason;
    this.send(pdu, bytes.subarray(at, at + BHS_LENGTH));
  }
}
