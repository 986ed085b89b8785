import { expect } from 'chai';
import fc from 'fast-check';
import * as cdb from '../../src/scsi/cdb.js';
import { CommandSet } from '../../src/scsi/command-set.js';
import { commandTable } from '../../src/scsi/command-table.js';
import { serviceAction } from '../../src/scsi/opcode.js';

type Build = (lba: number, blocks: number, options?: cdb.BlockOptions) => Uint8Array;

const builders: [string, Build, number, number][] = [
  ['READ(32)', cdb.read32, Number.MAX_SAFE_INTEGER, 2 ** 32 - 1],
  ['WRITE(32)', cdb.write32, Number.MAX_SAFE_INTEGER, 2 ** 32 - 1],
  ['VERIFY(32)', cdb.verify32, Number.MAX_SAFE_INTEGER, 2 ** 32 - 1],
  ['WRITE AND VERIFY(32)', cdb.writeAndVerify32, Number.MAX_SAFE_INTEGER, 2 ** 32 - 1],
  ['WRITE SAME(32)', cdb.writeSame32, Number.MAX_SAFE_INTEGER, 2 ** 32 - 1],
  ['WRITE AND VERIFY(10)', cdb.writeAndVerify10, 2 ** 32 - 1, 2 ** 16 - 1],
  ['WRITE AND VERIFY(12)', cdb.writeAndVerify12, 2 ** 32 - 1, 2 ** 32 - 1],
  ['WRITE AND VERIFY(16)', cdb.writeAndVerify16, Number.MAX_SAFE_INTEGER, 2 ** 32 - 1],
  ['COMPARE AND WRITE', cdb.compareAndWrite, Number.MAX_SAFE_INTEGER, 255],
  ['ORWRITE(16)', cdb.orWrite16, Number.MAX_SAFE_INTEGER, 2 ** 32 - 1],
  ['WRITE ATOMIC(16)', cdb.writeAtomic16, Number.MAX_SAFE_INTEGER, 2 ** 16 - 1],
  ['PRE-FETCH(10)', (lba, blocks) => cdb.preFetch10(lba, blocks, true), 2 ** 32 - 1, 2 ** 16 - 1],
  ['PRE-FETCH(16)', (lba, blocks) => cdb.preFetch16(lba, blocks), Number.MAX_SAFE_INTEGER, 2 ** 32 - 1],
  ['GET LBA STATUS(16)', cdb.getLbaStatus16, Number.MAX_SAFE_INTEGER, 2 ** 32 - 1],
  ['GET LBA STATUS(32)', cdb.getLbaStatus32, Number.MAX_SAFE_INTEGER, 2 ** 32 - 1],
];

describe('CDBs of the block commands', () => {
  const commands = new CommandSet(commandTable);

  for (const [name, build, maxLba, maxBlocks] of builders) {
    it(`${name} decode by the command table to what was asked for`, () => {
      fc.assert(
        fc.property(fc.maxSafeNat(), fc.nat(), (anyLba, anyBlocks) => {
          const [lba, blocks] = [anyLba % (maxLba + 1), anyBlocks % (maxBlocks + 1)];
          const bytes = build(lba, blocks);
          const definition = commands.decode(bytes)!;
          expect(definition.name).to.equal(name);
          expect(bytes).to.have.length(definition.usage.length);
          expect(definition.address!.lba(bytes)).to.equal(lba);
          expect(definition.address!.blocks(bytes)).to.equal(blocks);
          bytes.forEach((byte, at) => expect(byte & ~definition.usage[at], `byte ${at}`).to.equal(0));
        }),
      );
    });
  }

  it('carry their flags in byte 1, and in byte 10 of 32', () => {
    for (const [build, byte] of [
      [cdb.orWrite16, 1],
      [cdb.write32, 10],
    ] as const) {
      expect(build(0, 1, { fua: true })[byte]).to.equal(0x08);
      expect(build(0, 1, { dpo: true })[byte]).to.equal(0x10);
    }
    expect(cdb.writeAndVerify10(0, 1, { bytchk: 1 })[1]).to.equal(0x02);
    expect(cdb.verify32(0, 1, { bytchk: 3 })[10]).to.equal(0x06);
    expect(cdb.writeSame32(0, 1, { unmap: true, ndob: true })[10]).to.equal(0x09);
    expect(cdb.synchronizeCache10(0, 0, true)[1]).to.equal(0x02);
    expect(cdb.synchronizeCache16(0, 0, true)[1]).to.equal(0x02);
  });

  it('for the whole medium are as the standard lays them out', () => {
    const overwrite = cdb.sanitize(serviceAction.sanitizeOverwrite, {
      immed: true,
      exitAllowed: true,
      parameterListLength: 0x204,
    });
    expect([...overwrite]).to.deep.equal([0x48, 0xa1, 0, 0, 0, 0, 0, 2, 4, 0]);
    expect([...cdb.sanitize(serviceAction.sanitizeExitFailureMode)].slice(0, 2)).to.deep.equal([0x48, 0x1f]);
    expect([...cdb.overwriteParameters(Uint8Array.of(1, 2), 3, true)]).to.deep.equal([0x83, 0, 0, 2, 1, 2]);
    expect([...cdb.formatUnit(true), ...cdb.formatParameters(true)]).to.deep.equal([
      4, 0x10, 0, 0, 0, 0, 0, 2, 0, 0,
    ]);
    expect([...cdb.readDefectData10(8, { primary: true, format: 3 })]).to.deep.equal([
      0x37, 0, 0x13, 0, 0, 0, 0, 0, 8, 0,
    ]);
    expect([...cdb.readDefectData12(8, { grown: true })]).to.deep.equal([
      0xb7, 0x08, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0,
    ]);
  });
});
