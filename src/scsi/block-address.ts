// HOT PATH: one call each for the LBA and the length of every READ and WRITE.
import {
  readUint16,
  readUint24,
  readUint32,
  readUint64,
  writeUint16,
  writeUint24,
  writeUint32,
  writeUint64,
} from './big-endian.js';

/** Where a CDB keeps the first logical block and the number of blocks. */
export interface BlockAddress {
  /** CDB length in bytes. */
  readonly cdbLength: number;
  /** LOGICAL BLOCK ADDRESS. Past 2^53 rounded, and past every capacity. */
  lba(cdb: Uint8Array): number;
  /** Number of logical blocks. */
  blocks(cdb: Uint8Array): number;
  /** Write both fields into a CDB. */
  encode(cdb: Uint8Array, lba: number, blocks: number): void;
}

/** READ(6), WRITE(6): 21 bits of LBA, 8 bits of length where 0 means 256 (SBC-3 5.7). */
export const blockAddress6: BlockAddress = {
  cdbLength: 6,
  lba: (cdb) => readUint24(cdb, 1) & 0x1f_ffff,
  blocks: (cdb) => cdb[4] || 256,
  encode(cdb, lba, blocks) {
    writeUint24(cdb, 1, lba);
    cdb[4] = blocks === 256 ? 0 : blocks;
  },
};

export const blockAddress10: BlockAddress = {
  cdbLength: 10,
  lba: (cdb) => readUint32(cdb, 2),
  blocks: (cdb) => readUint16(cdb, 7),
  encode(cdb, lba, blocks) {
    writeUint32(cdb, 2, lba);
    writeUint16(cdb, 7, blocks);
  },
};

export const blockAddress12: BlockAddress = {
  cdbLength: 12,
  lba: (cdb) => readUint32(cdb, 2),
  blocks: (cdb) => readUint32(cdb, 6),
  encode(cdb, lba, blocks) {
    writeUint32(cdb, 2, lba);
    writeUint32(cdb, 6, blocks);
  },
};

export const blockAddress16: BlockAddress = {
  cdbLength: 16,
  lba: (cdb) => readUint64(cdb, 2),
  blocks: (cdb) => readUint32(cdb, 10),
  encode(cdb, lba, blocks) {
    writeUint64(cdb, 2, lba);
    writeUint32(cdb, 10, blocks);
  },
};

/** Variable length CDBs of 32 bytes: a service action is between the operation code and these (SBC-3 5.13). */
export const blockAddress32: BlockAddress = {
  cdbLength: 32,
  lba: (cdb) => readUint64(cdb, 12),
  blocks: (cdb) => readUint32(cdb, 28),
  encode(cdb, lba, blocks) {
    writeUint64(cdb, 12, lba);
    writeUint32(cdb, 28, blocks);
  },
};

/** COMPARE AND WRITE: a number of blocks of one byte (SBC-3 5.2). */
export const blockAddressCompare: BlockAddress = {
  cdbLength: 16,
  lba: (cdb) => readUint64(cdb, 2),
  blocks: (cdb) => cdb[13],
  encode(cdb, lba, blocks) {
    writeUint64(cdb, 2, lba);
    cdb[13] = blocks;
  },
};

/** WRITE ATOMIC(16): a transfer length of two bytes after the atomic boundary (SBC-4 5.46). */
export const blockAddressAtomic: BlockAddress = {
  cdbLength: 16,
  lba: (cdb) => readUint64(cdb, 2),
  blocks: (cdb) => readUint16(cdb, 12),
  encode(cdb, lba, blocks) {
    writeUint64(cdb, 2, lba);
    writeUint16(cdb, 12, blocks);
  },
};
