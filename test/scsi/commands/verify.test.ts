import { expect } from 'chai';
import * as cdb from '../../../src/scsi/cdb.js';
import { diskWith, pattern, TestDisk } from '../support/disk.js';
import { Deferred, good, readyUnit, refused, run, senseOf } from '../support/unit.js';

const MIB = 1024 * 1024;

describe('VERIFY', () => {
  for (const [width, verify] of [
    ['10', cdb.verify10],
    ['12', cdb.verify12],
    ['16', cdb.verify16],
  ] as const) {
    describe(`of ${width} bytes`, () => {
      it('with BYTCHK 0 reads the medium and needs no data', async () => {
        const disk = new TestDisk();
        await good(readyUnit(disk), verify(3, 4));
        expect(disk.calls).to.deep.equal(['read 1536+2048']);
      });

      it('with BYTCHK 1 compares each block', async () => {
        const disk = new TestDisk();
        const data = pattern(2048);
        disk.bytes.set(data, 512);
        const unit = readyUnit(disk);
        await good(unit, verify(1, 4, 1), data);
        data[1027] ^= 1;
        expect(await refused('e/1d/00', unit, verify(1, 4, 1), data)).to.include({ information: 1027 });
      });

      it('with BYTCHK 3 compares each block with the one that came', async () => {
        const disk = new TestDisk();
        const block = pattern(512);
        for (let lba = 1; lba < 5; lba++) disk.bytes.set(block, lba * 512);
        const unit = readyUnit(disk);
        await good(unit, verify(1, 4, 3), block);
        disk.bytes[512 * 3 + 9] ^= 1;
        expect(await refused('e/1d/00', unit, verify(1, 4, 3), block)).to.include({ information: 1033 });
        await good(unit, verify(1, 1, 3), block);
      });

      it('refuses BYTCHK 2, data that are too short, and ranges off the disk', async () => {
        const unit = readyUnit(new TestDisk(100));
        expect((await refused('5/24/00', unit, verify(0, 1, 2))).field).to.include({ byte: 1, bit: 2 });
        await refused('5/0e/03', unit, verify(0, 2, 1), new Uint8Array(1023));
        await refused('5/0e/03', unit, verify(0, 2, 3), new Uint8Array(511));
        await refused('5/21/00', unit, verify(99, 2));
      });

      it('of no blocks does nothing', async () => {
        const disk = new TestDisk();
        await good(readyUnit(disk), verify(0, 0, 1));
        expect(disk.calls).to.deep.equal([]);
      });
    });
  }

  it('compares long ranges piece by piece, and tells the offset in the whole', async () => {
    const disk = new TestDisk(8192);
    const data = pattern(2 * MIB + 1024);
    disk.bytes.set(data);
    const unit = readyUnit(disk);
    const command = cdb.verify10(0, data.length / 512, 1);
    await good(unit, command, data);
    expect(disk.calls).to.deep.equal([`read 0+${MIB}`, `read ${MIB}+${MIB}`, `read ${2 * MIB}+1024`]);
    const different = data.slice();
    different[MIB + 77] ^= 0x80;
    expect(await refused('e/1d/00', unit, command, different)).to.include({ information: MIB + 77 });
  });

  it('compares one block with a long range', async () => {
    const unit = readyUnit(new TestDisk(8192));
    await good(unit, cdb.verify10(0, 5000, 3), new Uint8Array(512));
  });

  it('fails as a read does, and stops when it is aborted', async () => {
    const broken = diskWith(new TestDisk(), {
      read: () => Promise.reject(Object.assign(new Error('bad'), { code: 'EIO' })),
    });
    await refused('3/11/00', readyUnit(broken), cdb.verify10(0, 1));

    const first = new Deferred();
    let reads = 0;
    const slow = diskWith(new TestDisk(8192), { read: () => (reads++, first.promise) });
    const controller = new AbortController();
    const response = run(readyUnit(slow), cdb.verify10(0, 6000), undefined, { signal: controller.signal });
    controller.abort();
    first.resolve();
    expect(senseOf(await response)).to.equal('b/00/00');
    expect(reads).to.equal(1);
  });
});

describe('SYNCHRONIZE CACHE', () => {
  for (const [width, synchronizeCache] of [
    ['10', cdb.synchronizeCache10],
    ['16', cdb.synchronizeCache16],
  ] as const) {
    it(`of ${width} bytes flushes, for any range on the disk`, async () => {
      const disk = new TestDisk(100);
      const unit = readyUnit(disk);
      for (const [lba, blocks] of [
        [0, 0],
        [50, 50],
        [100, 0],
      ]) {
        await good(unit, synchronizeCache(lba, blocks));
      }
      expect(disk.calls).to.deep.equal(['flush', 'flush', 'flush']);
      await refused('5/21/00', unit, synchronizeCache(50, 51));
      await refused('5/21/00', unit, synchronizeCache(101, 0));
    });
  }

  it('ends when the flush does, and fails with it', async () => {
    const flushed = new Deferred();
    const unit = readyUnit(diskWith(new TestDisk(), { flush: () => flushed.promise }));
    const response = run(unit, cdb.synchronizeCache10());
    flushed.reject(Object.assign(new Error('no'), { code: 'EIO' }));
    expect(senseOf(await response)).to.equal('3/0c/00');
  });

  it('is fine on a disk without a cache', async () => {
    await good(readyUnit(diskWith(new TestDisk(), { flush: undefined })), cdb.synchronizeCache10());
  });
});
