import { expect } from 'chai';
import fc from 'fast-check';
import {
  blockAddress10,
  blockAddress12,
  blockAddress16,
  blockAddress6,
  type BlockAddress,
} from '../../src/scsi/block-address.js';
import * as cdb from '../../src/scsi/cdb.js';
import { commandTable } from '../../src/scsi/command-table.js';

const widths: [string, BlockAddress, number, number, number][] = [
  ['6', blockAddress6, 2 ** 21 - 1, 1, 256],
  ['10', blockAddress10, 2 ** 32 - 1, 0, 2 ** 16 - 1],
  ['12', blockAddress12, 2 ** 32 - 1, 0, 2 ** 32 - 1],
  ['16', blockAddress16, Number.MAX_SAFE_INTEGER, 0, 2 ** 32 - 1],
];

describe('block addresses', () => {
  for (const [width, address, maxLba, minBlocks, maxBlocks] of widths) {
    it(`of ${width} bytes decode to what was encoded`, () => {
      fc.assert(
        fc.property(fc.maxSafeNat(), fc.nat(), (anyLba, anyBlocks) => {
          const lba = anyLba % (maxLba + 1);
          const blocks = minBlocks + (anyBlocks % (maxBlocks + 1 - minBlocks));
          const bytes = new Uint8Array(address.cdbLength);
          address.encode(bytes, lba, blocks);
          expect(address.lba(bytes)).to.equal(lba);
          expect(address.blocks(bytes)).to.equal(blocks);
          expect(bytes[0]).to.equal(0);
          expect(bytes.at(-1)).to.equal(0);
        }),
      );
      for (const [lba, blocks] of [
        [0, minBlocks],
        [maxLba, maxBlocks],
      ]) {
        const bytes = new Uint8Array(address.cdbLength);
        address.encode(bytes, lba, blocks);
        expect([address.lba(bytes), address.blocks(bytes)]).to.deep.equal([lba, blocks]);
      }
    });
  }

  it('past 2^53 stay past every capacity', () => {
    const bytes = new Uint8Array(16).fill(0xff);
    expect(blockAddress16.lba(bytes)).to.be.above(Number.MAX_SAFE_INTEGER);
  });
});

const builders: [string, string, number, (lba: number, blocks: number) => Uint8Array][] = [
  ['READ(6)', '08', 6, cdb.read6],
  ['READ(10)', '28', 10, cdb.read10],
  ['READ(12)', 'a8', 12, cdb.read12],
  ['READ(16)', '88', 16, cdb.read16],
  ['WRITE(6)', '0a', 6, cdb.write6],
  ['WRITE(10)', '2a', 10, cdb.write10],
  ['WRITE(12)', 'aa', 12, cdb.write12],
  ['WRITE(16)', '8a', 16, cdb.write16],
  ['VERIFY(10)', '2f', 10, cdb.verify10],
  ['VERIFY(12)', 'af', 12, cdb.verify12],
  ['VERIFY(16)', '8f', 16, cdb.verify16],
  ['SYNCHRONIZE CACHE(10)', '35', 10, cdb.synchronizeCache10],
  ['SYNCHRONIZE CACHE(16)', '91', 16, cdb.synchronizeCache16],
  ['WRITE SAME(10)', '41', 10, cdb.writeSame10],
  ['WRITE SAME(16)', '93', 16, cdb.writeSame16],
];

describe('CDBs of an initiator', () => {
  for (const [name, operationCode, length, build] of builders) {
    it(`${name} decode by the command table to what was asked for`, () => {
      fc.assert(
        fc.property(fc.nat(2 ** 21 - 1), fc.integer({ min: 1, max: 255 }), (lba, blocks) => {
          const bytes = build(lba, blocks);
          const definition = commandTable.find((row) => row.opcode === bytes[0])!;
          expect(definition.name).to.equal(name);
          expect(bytes[0].toString(16).padStart(2, '0')).to.equal(operationCode);
          expect(bytes).to.have.length(length);
          expect(definition.address!.lba(bytes)).to.equal(lba);
          expect(definition.address!.blocks(bytes)).to.equal(blocks);
        }),
        { numRuns: 50 },
      );
    });
  }

  it('carry their flags in byte 1', () => {
    expect(cdb.read10(0, 1, { fua: true })[1]).to.equal(0x08);
    expect(cdb.write16(0, 1, { dpo: true })[1]).to.equal(0x10);
    expect(cdb.verify10(0, 1, 3)[1]).to.equal(0x06);
    expect(cdb.writeSame16(0, 1, { unmap: true, ndob: true })[1]).to.equal(0x09);
    expect(cdb.writeSame10(0, 1, { unmap: true, ndob: true })[1], 'NDOB is of 16 bytes only').to.equal(0x08);
  });

  it('write 0 for the 256 blocks of READ(6)', () => {
    expect([...cdb.read6(0x1f_ffff, 256)]).to.deep.equal([0x08, 0x1f, 0xff, 0xff, 0x00, 0x00]);
  });

  it('describe the ranges of UNMAP', () => {
    const list = Buffer.from(cdb.unmapParameters([{ lba: 2 ** 40, blocks: 7 }]));
    expect(list.toString('hex')).to.equal('00160010000000000000010000000000' + '0000000700000000');
    expect([...cdb.unmap(list.length)]).to.deep.equal([0x42, 0, 0, 0, 0, 0, 0, 0, 24, 0]);
  });
});
