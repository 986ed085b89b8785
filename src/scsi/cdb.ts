import {
  blockAddress10,
  blockAddress12,
  blockAddress16,
  blockAddress6,
  type BlockAddress,
} from './block-address.js';
import { writeUint16, writeUint32, writeUint64 } from './big-endian.js';
import { opcode, serviceAction } from './opcode.js';

/*
 * CDBs as an initiator makes them: the other half of the command table's decoders.
 */

export interface BlockFlags {
  /** Force unit access. */
  readonly fua?: boolean;
  /** Disable page out. */
  readonly dpo?: boolean;
}

function blockCdb(
  address: BlockAddress,
  operationCode: number,
  lba: number,
  blocks: number,
  flags = 0,
): Uint8Array {
  const cdb = new Uint8Array(address.cdbLength);
  address.encode(cdb, lba, blocks);
  cdb[0] = operationCode;
  cdb[1] |= flags;
  return cdb;
}

function readWriteFlags({ fua = false, dpo = false }: BlockFlags): number {
  return (dpo ? 0x10 : 0) | (fua ? 0x08 : 0);
}

/** READ(6): at most 256 blocks in the first 2^21. */
export const read6 = (lba: number, blocks: number): Uint8Array =>
  blockCdb(blockAddress6, opcode.read6, lba, blocks);
export const read10 = (lba: number, blocks: number, flags: BlockFlags = {}): Uint8Array =>
  blockCdb(blockAddress10, opcode.read10, lba, blocks, readWriteFlags(flags));
export const read12 = (lba: number, blocks: number, flags: BlockFlags = {}): Uint8Array =>
  blockCdb(blockAddress12, opcode.read12, lba, blocks, readWriteFlags(flags));
export const read16 = (lba: number, blocks: number, flags: BlockFlags = {}): Uint8Array =>
  blockCdb(blockAddress16, opcode.read16, lba, blocks, readWriteFlags(flags));

export const write6 = (lba: number, blocks: number): Uint8Array =>
  blockCdb(blockAddress6, opcode.write6, lba, blocks);
export const write10 = (lba: number, blocks: number, flags: BlockFlags = {}): Uint8Array =>
  blockCdb(blockAddress10, opcode.write10, lba, blocks, readWriteFlags(flags));
export const write12 = (lba: number, blocks: number, flags: BlockFlags = {}): Uint8Array =>
  blockCdb(blockAddress12, opcode.write12, lba, blocks, readWriteFlags(flags));
export const write16 = (lba: number, blocks: number, flags: BlockFlags = {}): Uint8Array =>
  blockCdb(blockAddress16, opcode.write16, lba, blocks, readWriteFlags(flags));

/** @param bytchk 0: read the medium, 1: compare with Data-Out, 3: compare each block with one of Data-Out */
export const verify10 = (lba: number, blocks: number, bytchk = 0): Uint8Array =>
  blockCdb(blockAddress10, opcode.verify10, lba, blocks, bytchk << 1);
export const verify12 = (lba: number, blocks: number, bytchk = 0): Uint8Array =>
  blockCdb(blockAddress12, opcode.verify12, lba, blocks, bytchk << 1);
export const verify16 = (lba: number, blocks: number, bytchk = 0): Uint8Array =>
  blockCdb(blockAddress16, opcode.verify16, lba, blocks, bytchk << 1);

/** @param immed answer when the CDB was found in order */
export const synchronizeCache10 = (lba = 0, blocks = 0, immed = false): Uint8Array =>
  blockCdb(blockAddress10, opcode.synchronizeCache10, lba, blocks, immed ? 0x02 : 0);
export const synchronizeCache16 = (lba = 0, blocks = 0, immed = false): Uint8Array =>
  blockCdb(blockAddress16, opcode.synchronizeCache16, lba, blocks, immed ? 0x02 : 0);

export interface WriteSameFlags {
  /** The blocks may be deallocated. */
  readonly unmap?: boolean;
  /** No Data-Out: zeroes. Only in WRITE SAME(16). */
  readonly ndob?: boolean;
}

function writeSameFlags({ unmap = false, ndob = false }: WriteSameFlags): number {
  return (unmap ? 0x08 : 0) | (ndob ? 0x01 : 0);
}

export const writeSame10 = (lba: number, blocks: number, flags: WriteSameFlags = {}): Uint8Array =>
  blockCdb(blockAddress10, opcode.writeSame10, lba, blocks, writeSameFlags({ unmap: flags.unmap }));
export const writeSame16 = (lba: number, blocks: number, flags: WriteSameFlags = {}): Uint8Array =>
  blockCdb(blockAddress16, opcode.writeSame16, lba, blocks, writeSameFlags(flags));

/** @param parameterListLength bytes of Data-Out: as unmapParameters makes them */
export function unmap(parameterListLength: number): Uint8Array {
  const cdb = new Uint8Array(10);
  cdb[0] = opcode.unmap;
  writeUint16(cdb, 7, parameterListLength);
  return cdb;
}

/** The parameter list of UNMAP (SBC-3 5.28.2). Ranges in blocks. */
export function unmapParameters(ranges: readonly { lba: number; blocks: number }[]): Uint8Array {
  const list = new Uint8Array(8 + 16 * ranges.length);
  writeUint16(list, 0, list.length - 2);
  writeUint16(list, 2, list.length - 8);
  ranges.forEach(({ lba, blocks }, index) => {
    writeUint64(list, 8 + 16 * index, lba);
    writeUint32(list, 16 + 16 * index, blocks);
  });
  return list;
}

/** @param page a VPD page code; undefined for standard INQUIRY data */
export function inquiry(allocationLength: number, page?: number): Uint8Array {
  const cdb = Uint8Array.of(opcode.inquiry, page === undefined ? 0 : 1, page ?? 0, 0, 0, 0);
  writeUint16(cdb, 3, allocationLength);
  return cdb;
}

export const testUnitReady = (): Uint8Array => Uint8Array.of(opcode.testUnitReady, 0, 0, 0, 0, 0);

export const readCapacity10 = (): Uint8Array =>
  Uint8Array.of(opcode.readCapacity10, 0, 0, 0, 0, 0, 0, 0, 0, 0);

export function readCapacity16(allocationLength = 32): Uint8Array {
  const cdb = new Uint8Array(16);
  cdb[0] = opcode.serviceActionIn16;
  cdb[1] = serviceAction.readCapacity16;
  writeUint32(cdb, 10, allocationLength);
  return cdb;
}

export * from './cdb-reservations.js';
export * from './cdb-blocks.js';
export * from './cdb-copy.js';
export * from './cdb-primary.js';
