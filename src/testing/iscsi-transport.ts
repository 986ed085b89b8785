import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { encodePdu, FINAL, IMMEDIATE, isBefore, pduOpcode, RESERVED_TAG } from '../iscsi/pdu.js';
import { PduReader, type PduSink } from '../iscsi/pdu-reader.js';
import { encodeText, parseText } from '../iscsi/text-keys.js';
import { readUint16, readUint32 } from '../scsi/big-endian.js';
import type { Transport, TransportRequest, TransportResponse } from './transport.js';

export interface IscsiTransportOptions {
  readonly host: string;
  readonly port: number;
  /** The target's iSCSI name. */
  readonly target: string;
  readonly lun?: number;
  /** The initiator's iSCSI name. */
  readonly initiator?: string;
}

/** Bytes this initiator takes in one Data-In PDU, and sends in one burst. */
const MAX_DATA = 256 * 1024;

/** Longer CDBs travel in an additional header segment, which this initiator has no use for. */
const MAX_CDB = 16;

/** Flags of byte 1 of a SCSI Command (RFC 7143 11.3.1). */
const READ = 0x40;
const WRITE = 0x20;
const SIMPLE = 0x01;
/** Byte 1 of a Data-In PDU: it carries the status. */
const STATUS = 0x01;

/** Stages of a login (RFC 7143 11.12.3): from operational negotiation to full feature phase. */
const LOGIN_FLAGS = 0x80 | (1 << 2) | 3;

interface Task {
  readonly request: TransportRequest;
  readonly dataIn: Uint8Array;
  resolve(response: TransportResponse): void;
  reject(error: Error): void;
}

/**
 * An iSCSI initiator for tests and demonstrations: one session, one connection, no authentication, no digests.
 * Any number of commands may be under way; those the target's window has no room for wait.
 */
export class IscsiTransport implements Transport, PduSink {
  readonly #options: IscsiTransportOptions;
  readonly #socket: Socket;
  readonly #reader = new PduReader(this, MAX_DATA);
  readonly #tasks = new Map<number, Task>();
  #waiting: [number, Task][] = [];
  /** The answer to the login, while it is waited for. */
  #login:
    { answer(status: number, keys: ReadonlyMap<string, string>): void; fail(error: Error): void } | undefined;
  #nextTag = 1;
  #cmdSn = 1;
  #maxCmdSn = 1;
  #expStatSn = 0;
  #maxSend = 8192;
  #firstBurst = 65536;
  #failure: Error | undefined;

  private constructor(socket: Socket, options: IscsiTransportOptions) {
    this.#socket = socket;
    this.#options = options;
  }

  /** Connect and log in. @throws Error that says why not */
  static async connect(options: IscsiTransportOptions): Promise<IscsiTransport> {
    const socket = connect({ host: options.host, port: options.port, noDelay: true });
    await once(socket, 'connect');
    const transport = new IscsiTransport(socket, options);
    socket.on('data', (chunk: Buffer) => transport.#take(chunk));
    socket.on('error', (error) => transport.#lost(error));
    socket.on('close', () => transport.#lost(new Error('the target closed the connection')));
    try {
      await transport.#logIn();
    } catch (error) {
      socket.destroy();
      throw error;
    }
    return transport;
  }

  send(request: TransportRequest): Promise<TransportResponse> {
    if (this.#failure) return Promise.reject(this.#failure);
    if (request.cdb.length > MAX_CDB) {
      return Promise.reject(new RangeError(`this initiator sends CDBs of ${MAX_CDB} bytes at most`));
    }
    return new Promise((resolve, reject) => {
      const tag = this.#nextTag;
      this.#nextTag = (tag % 0xffff_fff0) + 1;
      const dataIn = new Uint8Array(request.dataInLength ?? 0);
      this.#waiting.push([tag, { request, dataIn, resolve, reject }]);
      this.#pump();
    });
  }

  /** Log out and close. */
  async close(): Promise<void> {
    if (!this.#failure) {
      this.#socket.write(
        encodePdu(
          'logoutRequest',
          { flags: FINAL, itt: 0, cmdSn: this.#cmdSn, expStatSn: this.#expStatSn },
          { immediate: true },
        ),
      );
      this.#socket.end();
      if (!this.#socket.closed) await once(this.#socket, 'close');
    }
    this.#socket.destroy();
  }

  async #logIn(): Promise<void> {
    const answered = new Promise<ReadonlyMap<string, string>>((resolve, reject) => {
      const answer = (status: number, keys: ReadonlyMap<string, string>): void => {
        if (status === 0) return resolve(keys);
        reject(new Error(`the target refused the login (status ${status.toString(16).padStart(4, '0')}h)`));
      };
      this.#login = { answer, fail: reject };
    });
    const data = encodeText([
      ['InitiatorName', this.#options.initiator ?? 'iqn.2026-11.org.lunette:initiator'],
      ['TargetName', this.#options.target],
      ['SessionType', 'Normal'],
      ['InitialR2T', 'Yes'],
      ['ImmediateData', 'Yes'],
      ['MaxRecvDataSegmentLength', String(MAX_DATA)],
      ['MaxBurstLength', String(MAX_DATA)],
      ['FirstBurstLength', String(this.#firstBurst)],
      ['MaxOutstandingR2T', '1'],
      ['MaxConnections', '1'],
      ['ErrorRecoveryLevel', '0'],
      ['HeaderDigest', 'None'],
      ['DataDigest', 'None'],
    ]);
    const isid = Uint8Array.of(0x80, 0, 0, ...crypto.getRandomValues(new Uint8Array(3)));
    const values = { flags: LOGIN_FLAGS, isid, itt: 0, cmdSn: this.#cmdSn, expStatSn: 0 };
    this.#socket.write(encodePdu('loginRequest', values, { immediate: true, data }));
    const keys = await answered;
    this.#login = undefined;
    this.#maxSend = Math.min(Number(keys.get('MaxRecvDataSegmentLength') ?? 8192), MAX_DATA);
    this.#firstBurst = Math.min(
      this.#firstBurst,
      Number(keys.get('FirstBurstLength') ?? 65536),
      this.#maxSend,
    );
    if (keys.get('ImmediateData') === 'No') this.#firstBurst = 0;
  }

  #take(chunk: Buffer): void {
    try {
      this.#reader.feed(chunk);
    } catch (error) {
      this.#socket.destroy(error as Error);
    }
  }

  #lost(error: Error): void {
    if (this.#failure) return;
    this.#failure = error;
    this.#login?.fail(error);
    for (const task of this.#tasks.values()) task.reject(error);
    for (const [, task] of this.#waiting) task.reject(error);
    this.#tasks.clear();
    this.#waiting = [];
  }

  /** Send what the target's command window has room for. */
  #pump(): void {
    while (this.#waiting.length > 0 && !isBefore(this.#maxCmdSn, this.#cmdSn)) {
      const [tag, task] = this.#waiting.shift()!;
      this.#tasks.set(tag, task);
      const { cdb, dataOut } = task.request;
      const immediate = dataOut?.subarray(0, this.#firstBurst);
      const direction = dataOut ? WRITE : task.dataIn.length > 0 ? READ : 0;
      const values = {
        flags: FINAL | direction | SIMPLE,
        lun: Uint8Array.of(0, this.#options.lun ?? 0, 0, 0, 0, 0, 0, 0),
        itt: tag,
        expectedDataTransferLength: dataOut?.length ?? task.dataIn.length,
        cmdSn: this.#cmdSn,
        expStatSn: this.#expStatSn,
        cdb,
      };
      this.#cmdSn = (this.#cmdSn + 1) >>> 0;
      this.#socket.write(encodePdu('scsiCommand', values, { data: immediate }));
    }
  }

  /** PduSink. */
  pdu(bytes: Buffer, at: number, _ahsLength: number, dataStart: number, dataLength: number): boolean {
    const data = bytes.subarray(dataStart, dataStart + dataLength);
    const code = bytes[at] & ~IMMEDIATE;
    if (code !== pduOpcode.readyToTransfer) this.#maxCmdSn = readUint32(bytes, at + 32);
    const tag = readUint32(bytes, at + 16);
    const task = this.#tasks.get(tag);
    switch (code) {
      case pduOpcode.loginResponse:
        this.#takeStatSn(bytes, at);
        this.#login?.answer(readUint16(bytes, at + 36), new Map(parseText(data)));
        break;
      case pduOpcode.dataIn:
        task?.dataIn.set(data, readUint32(bytes, at + 40));
        if ((bytes[at + 1] & STATUS) !== 0) this.#finish(bytes, at, tag, task);
        break;
      case pduOpcode.scsiResponse:
        this.#finish(bytes, at, tag, task, data);
        break;
      case pduOpcode.readyToTransfer:
        if (task) this.#sendData(bytes, at, tag, task);
        break;
      case pduOpcode.nopIn:
        this.#takeStatSn(bytes, at);
        this.#answerPing(bytes, at);
        break;
      case pduOpcode.reject:
        this.#socket.destroy(new Error(`the target rejected a PDU (reason ${bytes[at + 2]})`));
        break;
      default:
        break;
    }
    this.#pump();
    return true;
  }

  /** PduSink: there are no digests that could be wrong. */
  damagedPdu(): boolean {
    return true;
  }

  #takeStatSn(bytes: Buffer, at: number): void {
    this.#expStatSn = (readUint32(bytes, at + 24) + 1) >>> 0;
  }

  #finish(bytes: Buffer, at: number, tag: number, task: Task | undefined, segment?: Buffer): void {
    this.#takeStatSn(bytes, at);
    this.#tasks.delete(tag);
    if (!task) return;
    // The U bit: the residual was not transferred.
    const residual = (bytes[at + 1] & 0x02) !== 0 && !task.request.dataOut ? readUint32(bytes, at + 44) : 0;
    const senseLength = segment && segment.length >= 2 ? readUint16(segment, 0) : 0;
    task.resolve({
      status: bytes[at + 3],
      sense: Uint8Array.from(segment?.subarray(2, 2 + senseLength) ?? []),
      dataIn: task.dataIn.subarray(0, Math.max(0, task.dataIn.length - residual)),
    });
  }

  #sendData(bytes: Buffer, at: number, tag: number, { request }: Task): void {
    const ttt = readUint32(bytes, at + 20);
    const start = readUint32(bytes, at + 40);
    const end = start + readUint32(bytes, at + 44);
    for (let offset = start, dataSn = 0; offset < end; offset += this.#maxSend, dataSn++) {
      const data = request.dataOut!.subarray(offset, Math.min(end, offset + this.#maxSend));
      const flags = offset + data.length >= end ? FINAL : 0;
      const lun = bytes.subarray(at + 8, at + 16);
      const values = { flags, lun, itt: tag, ttt, expStatSn: this.#expStatSn, dataSn, bufferOffset: offset };
      this.#socket.write(encodePdu('dataOut', values, { data }));
    }
  }

  #answerPing(bytes: Buffer, at: number): void {
    const ttt = readUint32(bytes, at + 20);
    if (ttt === RESERVED_TAG) return;
    const values = { flags: FINAL, itt: RESERVED_TAG, ttt, cmdSn: this.#cmdSn, expStatSn: this.#expStatSn };
    this.#socket.write(encodePdu('nopOut', values, { immediate: true }));
  }
}
