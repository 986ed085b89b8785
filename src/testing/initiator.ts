import { readUint32, readUint64 } from '../scsi/big-endian.js';
import * as cdb from '../scsi/cdb.js';
import { vpdPage } from '../scsi/commands/vital-product-data.js';
import { senseKey } from '../scsi/sense.js';
import { scsiStatus } from '../scsi/status.js';
import { ScsiError } from './scsi-error.js';
import type { Transport, TransportRequest } from './transport.js';

export interface InquiryData {
  readonly vendor: string;
  readonly product: string;
  readonly revision: string;
  /** Peripheral device type. */
  readonly deviceType: number;
}

export interface Capacity {
  /** Logical blocks. */
  readonly blocks: number;
  /** Bytes. */
  readonly blockSize: number;
  /** Bytes; a multiple of blockSize. */
  readonly physicalBlockSize: number;
  /** LBPME: blocks can be unmapped. */
  readonly thin: boolean;
}

/** Attempts where unit attentions come one after the other. */
const ATTEMPTS = 4;

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1').trimEnd();

/**
 * A small SCSI initiator. Each method is one command; what does not end with GOOD is thrown as a ScsiError. A
 * unit attention is taken note of and the command sent again, as every real initiator does.
 */
export class Initiator {
  readonly #transport: Transport;
  #blockSize: number | undefined;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /**
   * A command as given.
   * @returns Data-In
   * @throws ScsiError
   */
  async raw(command: Uint8Array, options: Omit<TransportRequest, 'cdb'> = {}): Promise<Uint8Array> {
    for (let attempt = 1; ; attempt++) {
      const { status, sense, dataIn } = await this.#transport.send({ cdb: command, ...options });
      if (status === scsiStatus.good) return dataIn;
      const error = new ScsiError(command, status, sense);
      if (error.sense?.key !== senseKey.unitAttention || attempt === ATTEMPTS) throw error;
      // Whatever changed, the capacity may have.
      this.#blockSize = undefined;
    }
  }

  async testUnitReady(): Promise<void> {
    await this.raw(cdb.testUnitReady());
  }

  async inquiry(): Promise<InquiryData> {
    const data = await this.raw(cdb.inquiry(96), { dataInLength: 96 });
    return {
      vendor: text(data.subarray(8, 16)),
      product: text(data.subarray(16, 32)),
      revision: text(data.subarray(32, 36)),
      deviceType: data[0] & 0x1f,
    };
  }

  /** A VPD page, header included. */
  vpd(page: number): Promise<Uint8Array> {
    return this.raw(cdb.inquiry(1024, page), { dataInLength: 1024 });
  }

  async serialNumber(): Promise<string> {
    const page = await this.vpd(vpdPage.unitSerialNumber);
    return text(page.subarray(4, 4 + ((page[2] << 8) | page[3])));
  }

  async readCapacity(): Promise<Capacity> {
    const data = await this.raw(cdb.readCapacity16(32), { dataInLength: 32 });
    const blockSize = readUint32(data, 8);
    this.#blockSize = blockSize;
    return {
      blocks: readUint64(data, 0) + 1,
      blockSize,
      physicalBlockSize: blockSize << (data[13] & 0x0f),
      thin: (data[14] & 0x80) !== 0,
    };
  }

  /** READ(16). @returns blocks × block size bytes */
  async read(lba: number, blocks: number, flags: cdb.BlockFlags = {}): Promise<Uint8Array> {
    const dataInLength = blocks * (await this.#knownBlockSize());
    return this.raw(cdb.read16(lba, blocks, flags), { dataInLength });
  }

  /** WRITE(16). @param data a multiple of the block size */
  async write(lba: number, data: Uint8Array, flags: cdb.BlockFlags = {}): Promise<void> {
    const blocks = data.length / (await this.#knownBlockSize());
    await this.raw(cdb.write16(lba, blocks, flags), { dataOut: data });
  }

  /** UNMAP. Ranges in blocks. */
  async unmap(ranges: readonly { lba: number; blocks: number }[]): Promise<void> {
    const dataOut = cdb.unmapParameters(ranges);
    await this.raw(cdb.unmap(dataOut.length), { dataOut });
  }

  /** WRITE SAME(16). @param block one block, or nothing for zeroes */
  async writeSame(lba: number, blocks: number, block?: Uint8Array, unmap = false): Promise<void> {
    await this.raw(cdb.writeSame16(lba, blocks, { unmap, ndob: block === undefined }), { dataOut: block });
  }

  /** SYNCHRONIZE CACHE(16) of the whole medium. */
  async flush(): Promise<void> {
    await this.raw(cdb.synchronizeCache16());
  }

  async #knownBlockSize(): Promise<number> {
    return this.#blockSize ?? (await this.readCapacity()).blockSize;
  }
}
