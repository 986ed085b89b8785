import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { digestMatches, appendDigest } from '../../../src/iscsi/crc32c.js';
import {
  BHS_LENGTH,
  decodePdu,
  encodePdu,
  FINAL,
  paddedLength,
  type DecodedPdu,
  type PduName,
  type PduOptions,
  type PduValues,
} from '../../../src/iscsi/pdu.js';
import { encodeText, parseText } from '../../../src/iscsi/text-keys.js';

export type Received<Name extends PduName = PduName> = DecodedPdu<Name> & { readonly data: Buffer };

export interface RawLoginOptions {
  readonly initiatorName?: string;
  readonly targetName?: string;
  readonly discovery?: boolean;
  readonly isid?: Uint8Array;
  readonly tsih?: number;
  readonly cid?: number;
  readonly keys?: Readonly<Record<string, string>>;
}

export const READ = 0x40;
export const WRITE = 0x20;

/** An initiator that sends what it is told, right or wrong, and hands out every PDU that comes. */
export class RawInitiator {
  cmdSn = 1;
  expStatSn = 0;
  tsih = 0;
  headerDigest = false;
  dataDigest = false;
  closed = false;
  readonly socket: Socket;
  #bytes = Buffer.alloc(0);
  #itt = 0;
  readonly #received: Received[] = [];
  readonly #waiting: ((pdu: Received | undefined) => void)[] = [];
  readonly #ended: Promise<void>;

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (chunk: Buffer) => this.#data(chunk));
    socket.on('error', () => undefined);
    this.#ended = new Promise((resolve) =>
      socket.on('close', () => {
        this.closed = true;
        for (const waiting of this.#waiting.splice(0)) waiting(undefined);
        resolve();
      }),
    );
  }

  static async connect({ port }: { port: number }): Promise<RawInitiator> {
    const socket = connect({ host: '127.0.0.1', port, noDelay: true });
    await once(socket, 'connect');
    return new RawInitiator(socket);
  }

  nextItt(): number {
    return ++this.#itt;
  }

  #data(chunk: Buffer): void {
    this.#bytes = Buffer.concat([this.#bytes, chunk]);
    for (;;) {
      const bytes = this.#bytes;
      if (bytes.length < BHS_LENGTH) return;
      const pdu = decodePdu(bytes) as DecodedPdu<PduName> | undefined;
      if (!pdu) throw new Error(`the target sent operation code ${bytes[0].toString(16)}`);
      let start = BHS_LENGTH + pdu.ahsWords * 4;
      const headerEnd = start;
      if (this.headerDigest) start += 4;
      const padded = paddedLength(pdu.dataLength);
      const total = start + padded + (this.dataDigest && padded > 0 ? 4 : 0);
      if (bytes.length < total) return;
      if (this.headerDigest && !digestMatches(bytes, 0, headerEnd)) throw new Error('header digest');
      if (this.dataDigest && padded > 0 && !digestMatches(bytes, start, start + padded)) {
        throw new Error('data digest');
      }
      const received = { ...pdu, data: Buffer.from(bytes.subarray(start, start + pdu.dataLength)) };
      this.#bytes = bytes.subarray(total);
      const waiting = this.#waiting.shift();
      if (waiting) waiting(received);
      else this.#received.push(received);
    }
  }

  /** The next PDU of the target; undefined where it closed the connection. */
  async receive(): Promise<Received | undefined> {
    const received = this.#received.shift();
    if (received || this.closed) return received;
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** The next PDU, which must be of this kind. */
  async expect<Name extends PduName>(name: Name): Promise<Received<Name>> {
    const pdu = await this.receive();
    if (pdu?.name !== name) throw new Error(`${name} expected, ${pdu?.name ?? 'a closed connection'} came`);
    return pdu as unknown as Received<Name>;
  }

  get pending(): number {
    return this.#received.length;
  }

  /** Settles when the target has closed the connection. */
  get ended(): Promise<void> {
    return this.#ended;
  }

  send<Name extends PduName>(name: Name, values: Partial<PduValues<Name>>, options: PduOptions = {}): void {
    const pdu = encodePdu(name, values, options);
    if (!this.headerDigest && !this.dataDigest) {
      this.socket.write(pdu);
      return;
    }
    const headerEnd = BHS_LENGTH + (options.ahs?.length ?? 0);
    const dataLength = pdu.length - headerEnd;
    const parts = [pdu.subarray(0, headerEnd)];
    if (this.headerDigest) parts.push(digestOf(parts[0]));
    if (dataLength > 0) {
      parts.push(pdu.subarray(headerEnd));
      if (this.dataDigest) parts.push(digestOf(pdu.subarray(headerEnd)));
    }
    this.socket.write(Buffer.concat(parts));
  }

  sendLogin(
    pairs: Readonly<Record<string, string>> | readonly (readonly [string, string])[],
    fields: { csg?: number; nsg?: number; transit?: boolean; more?: boolean } & Partial<
      PduValues<'loginRequest'>
    > = {},
  ): void {
    const { csg = 1, nsg = 3, transit = true, more = false, ...values } = fields;
    const flags = (transit ? 0x80 : 0) | (more ? 0x40 : 0) | (csg << 2) | (transit ? nsg : 0);
    const list = Array.isArray(pairs)
      ? (pairs as (readonly [string, string])[])
      : Object.entries(pairs as Record<string, string>);
    const isid = Uint8Array.of(0x80, 0x12, 0x34, 0x56, 0, 1);
    this.send(
      'loginRequest',
      { flags, isid, itt: 0xa0a0, cmdSn: this.cmdSn, expStatSn: this.expStatSn, ...values },
      { immediate: true, data: encodeText(list) },
    );
  }

  /** Log in without authentication. @returns the answers, or the status of the refusal */
  async login(options: RawLoginOptions = {}): Promise<Record<string, string>> {
    const { discovery = false, targetName, isid, tsih, cid, keys = {} } = options;
    const name = options.initiatorName ?? 'iqn.2024-01.org.example:raw';
    this.sendLogin(
      {
        InitiatorName: name,
        ...(discovery ? { SessionType: 'Discovery' } : { TargetName: targetName ?? TARGET_NAME }),
        ...keys,
      },
      {
        ...(isid === undefined ? {} : { isid }),
        ...(tsih === undefined ? {} : { tsih }),
        ...(cid === undefined ? {} : { cid }),
      },
    );
    const { values, data } = await this.expect('loginResponse');
    const status = (values.statusClass << 8) | values.statusDetail;
    if (status !== 0) throw new Error(`login refused: ${status.toString(16).padStart(4, '0')}`);
    this.tsih = values.tsih;
    const answers = Object.fromEntries(parseText(data));
    this.headerDigest = answers.HeaderDigest === 'CRC32C';
    this.dataDigest = answers.DataDigest === 'CRC32C';
    return answers;
  }

  /** Send a SCSI Command PDU. @returns its initiator task tag */
  sendCommand(
    cdb: Uint8Array,
    options: {
      lun?: number;
      flags?: number;
      length?: number;
      data?: Uint8Array;
      immediate?: boolean;
      itt?: number;
      cmdSn?: number;
      ahs?: Uint8Array;
    } = {},
  ): number {
    const { lun = 0, flags = FINAL, length = 0, immediate = false, itt = this.nextItt() } = options;
    const lunBytes = new Uint8Array(8);
    lunBytes[1] = lun;
    const cmdSn = options.cmdSn ?? (immediate ? this.cmdSn : this.cmdSn++);
    this.send(
      'scsiCommand',
      {
        flags,
        lun: lunBytes,
        itt,
        expectedDataTransferLength: length,
        cmdSn,
        expStatSn: this.expStatSn,
        cdb,
      },
      { immediate, data: options.data, ahs: options.ahs },
    );
    return itt;
  }

  /** A command without Data-Out, to its end. */
  async run(
    cdb: Uint8Array,
    length = 0,
    lun = 0,
  ): Promise<{ status: number; data: Buffer; flags: number; residual: number; sense: Buffer }> {
    const itt = this.sendCommand(cdb, { lun, length, flags: FINAL | (length > 0 ? READ : 0) });
    return this.collect(itt);
  }

  /** What a command is answered: Data-In, then its status. */
  async collect(
    itt: number,
  ): Promise<{ status: number; data: Buffer; flags: number; residual: number; sense: Buffer }> {
    const pieces: Buffer[] = [];
    let dataSn = 0;
    for (;;) {
      const pdu = (await this.receive()) as Received<'dataIn'> | Received<'scsiResponse'> | undefined;
      if (pdu?.name !== 'dataIn' && pdu?.name !== 'scsiResponse') {
        throw new Error(`an answer expected, ${(pdu as Received | undefined)?.name ?? 'nothing'} came`);
      }
      if (pdu.values.itt !== itt) throw new Error('the answer to another command');
      if (pdu.name === 'dataIn') {
        const { values } = pdu;
        if (values.dataSn !== dataSn++) throw new Error('DataSN');
        if (values.bufferOffset !== pieces.reduce((sum, piece) => sum + piece.length, 0)) {
          throw new Error('buffer offset');
        }
        pieces.push(pdu.data);
        if ((values.flags & 0x01) === 0) continue;
      }
      const { status, flags, residual } = pdu.values;
      const sense = pdu.name === 'scsiResponse' ? pdu.data.subarray(2) : Buffer.alloc(0);
      return { status, data: Buffer.concat(pieces), flags, residual, sense };
    }
  }

  /** Take the unit attention a new session is told of. */
  async clearAttention(lun = 0): Promise<void> {
    for (let tries = 0; tries < 8; tries++) {
      if ((await this.run(new Uint8Array(6), 0, lun)).status === 0) return;
    }
    throw new Error('unit attentions without end');
  }

  destroy(): void {
    this.socket.destroy();
  }
}

export const TARGET_NAME = 'iqn.2024-01.org.example:disk';

function digestOf(bytes: Uint8Array): Buffer {
  const whole = Buffer.alloc(bytes.length + 4);
  whole.set(bytes);
  appendDigest(whole, 0, bytes.length);
  return whole.subarray(bytes.length);
}
