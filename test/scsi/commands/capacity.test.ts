import { expect } from 'chai';
import * as cdb from '../../../src/scsi/cdb.js';
import { diskWith, TestDisk, ThinDisk } from '../support/disk.js';
import { good, readyUnit, refused } from '../support/unit.js';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

describe('READ CAPACITY', () => {
  it('of 10 bytes gives the last block and the block length', async () => {
    expect(hex(await good(readyUnit(new TestDisk(2048)), cdb.readCapacity10()))).to.equal('000007ff00000200');
    expect(hex(await good(readyUnit(new TestDisk(1, 65536)), cdb.readCapacity10()))).to.equal(
      '0000000000010000',
    );
  });

  for (const [blocks, last] of [
    [2 ** 32 - 1, 'fffffffe'],
    [2 ** 32, 'ffffffff'],
    [2 ** 32 + 1, 'ffffffff'],
    [2 ** 43, 'ffffffff'],
  ] as const) {
    it(`of 10 bytes gives ${last}h for ${blocks} blocks`, async () => {
      const unit = readyUnit(diskWith(new TestDisk(), { size: blocks * 512 }));
      expect(hex(await good(unit, cdb.readCapacity10()))).to.equal(`${last}00000200`);
      const long = Buffer.from(await good(unit, cdb.readCapacity16()));
      expect(long.readBigUInt64BE(0)).to.equal(BigInt(blocks) - 1n);
    });
  }

  it('of 16 bytes tells the physical block length and nothing of provisioning for a plain disk', async () => {
    const unit = readyUnit(diskWith(new TestDisk(), { physicalBlockSize: 4096 }));
    const data = await good(unit, cdb.readCapacity16());
    expect(hex(data)).to.equal(`00000000000007ff00000200${'00'}03${'0000'}${'00'.repeat(16)}`);
  });

  it('of 16 bytes tells thin provisioning, and what unmapped blocks read as', async () => {
    expect((await good(readyUnit(new ThinDisk()), cdb.readCapacity16()))[14]).to.equal(0xc0);
    const unit = readyUnit(diskWith(new ThinDisk(), { unmapReadsZeroes: false }));
    expect((await good(unit, cdb.readCapacity16()))[14]).to.equal(0x80);
  });

  it('of 16 bytes is cut to the allocation length', async () => {
    const unit = readyUnit(new TestDisk());
    expect(await good(unit, cdb.readCapacity16(12))).to.have.length(12);
    expect(await good(unit, cdb.readCapacity16(1000))).to.have.length(32);
  });

  it('refuses an address without PMI', async () => {
    const unit = readyUnit(new TestDisk());
    await refused('5/24/00', unit, cdb.readCapacity10().with(5, 1));
    await good(unit, cdb.readCapacity10().with(5, 1).with(8, 1));
    await refused('5/24/00', unit, cdb.readCapacity16().with(9, 1));
    await good(unit, cdb.readCapacity16().with(9, 1).with(14, 1));
  });

  it('is one of the service actions of 9Eh; no other is there', async () => {
    const unit = readyUnit(new TestDisk());
    const { field } = await refused('5/24/00', unit, cdb.readCapacity16().with(1, 0x11));
    expect(field).to.deep.equal({ inCdb: true, byte: 1, bit: 4 });
    // Bits above the service action are reserved.
    expect(await good(unit, cdb.readCapacity16().with(1, 0xf0))).to.have.length(32);
  });
});
