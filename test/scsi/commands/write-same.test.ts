import { expect } from 'chai';
import * as cdb from '../../../src/scsi/cdb.js';
import type { CommandContext, Disk } from '../../../src/scsi/disk.js';
import { diskWith, pattern, TestDisk, ThinDisk } from '../support/disk.js';
import { Deferred, good, readyUnit, refused, run, senseOf } from '../support/unit.js';

const MIB = 1024 * 1024;
const zeroes = new Uint8Array(512);

/** Adds writeZeroes, which notes whether it may unmap. */
function zeroing<Base extends TestDisk>(disk: Base): Base {
  return diskWith(disk, {
    writeZeroes(offset: number, length: number, mayUnmap: boolean) {
      disk.calls.push(`zero ${offset}+${length}${mayUnmap ? ' unmap' : ''}`);
      disk.bytes.fill(0, offset, offset + length);
    },
  });
}

describe('WRITE SAME', () => {
  for (const [width, writeSame] of [
    ['10', cdb.writeSame10],
    ['16', cdb.writeSame16],
  ] as const) {
    describe(`of ${width} bytes`, () => {
      it('writes one block over and over', async () => {
        const disk = new TestDisk();
        const block = pattern(512, 9);
        await good(readyUnit(disk), writeSame(3, 5), block);
        for (let lba = 0; lba < 10; lba++) {
          const found = disk.bytes.subarray(lba * 512, (lba + 1) * 512);
          expect(Buffer.compare(found, lba >= 3 && lba < 8 ? block : zeroes)).to.equal(0);
        }
      });

      it('takes 0 blocks for all to the end where it is told so, as far as its limit goes', async () => {
        const disk = new TestDisk(100);
        const unit = readyUnit(disk, { maxWriteSameBlocks: 10, writeSameToEnd: true });
        expect((await good(unit, cdb.inquiry(255, 0xb0)))[4], 'WSNZ').to.equal(0);
        await good(unit, writeSame(90, 0), zeroes);
        expect(disk.calls).to.deep.equal(['write 46080+5120']);
        await good(unit, writeSame(100, 0), zeroes);
        expect(disk.calls).to.have.length(1);
        const { field } = await refused('5/24/00', unit, writeSame(89, 0), zeroes);
        expect(field).to.deep.equal({ inCdb: true, byte: writeSame === cdb.writeSame10 ? 7 : 10 });
        await refused('5/21/00', unit, writeSame(101, 0), zeroes);
      });

      it('needs a number of blocks (WSNZ), one block of data, and a range on the disk', async () => {
        const disk = new TestDisk(100);
        const unit = readyUnit(disk);
        const length = writeSame === cdb.writeSame10 ? 7 : 10;
        const { field } = await refused('5/24/00', unit, writeSame(0, 0), zeroes);
        expect(field).to.deep.equal({ inCdb: true, byte: length });
        await refused('5/0e/03', unit, writeSame(0, 1), new Uint8Array(511));
        await refused('5/21/00', unit, writeSame(99, 2), zeroes);
        await refused('5/21/00', unit, writeSame(0xffff_ffff, 1), zeroes);
        expect(disk.calls).to.deep.equal([]);
      });

      it('keeps to the limit of VPD page B0h', async () => {
        const unit = readyUnit(new TestDisk(), { maxWriteSameBlocks: 10 });
        await good(unit, writeSame(0, 10), zeroes);
        await refused('5/24/00', unit, writeSame(0, 11), zeroes);
      });

      it('refuses anchored blocks, protection information, and UNMAP on a disk that cannot', async () => {
        const unit = readyUnit(new TestDisk());
        const bit = async (flags: number): Promise<number | undefined> =>
          (await refused('5/24/00', unit, writeSame(0, 1).with(1, flags), zeroes)).field?.bit;
        expect(await bit(0x10)).to.equal(4);
        expect(await bit(0x20)).to.equal(7);
        expect(await bit(0x08)).to.equal(3);
      });

      it('is refused where nothing may be written', async () => {
        const unit = readyUnit(diskWith(new TestDisk(), { readOnly: true }));
        await refused('7/27/00', unit, writeSame(0, 1), zeroes);
      });
    });
  }

  it('of 16 bytes needs no data with NDOB', async () => {
    const disk = new TestDisk();
    disk.bytes.fill(1);
    await good(readyUnit(disk), cdb.writeSame16(1, 2, { ndob: true }));
    expect(disk.bytes.subarray(512, 1536).every((byte) => byte === 0)).to.equal(true);
    expect([disk.bytes[511], disk.bytes[1536]]).to.deep.equal([1, 1]);
  });

  it('refuses Data-Out of more than a block: it was meant for something else', async () => {
    await refused('5/0e/03', readyUnit(new TestDisk()), cdb.writeSame10(0, 2), new Uint8Array(1024));
    await refused('5/0e/03', readyUnit(new TestDisk()), cdb.writeSame16(0, 2), new Uint8Array(1024));
  });

  it('of 10 bytes has no NDOB', async () => {
    await refused('5/0e/03', readyUnit(new TestDisk()), cdb.writeSame10(0, 1).with(1, 1));
  });

  const ways: [string, () => TestDisk, boolean, Uint8Array, string[]][] = [
    [
      'writes zeroes itself, without unmapping',
      () => zeroing(new ThinDisk()),
      false,
      zeroes,
      ['zero 0+2048'],
    ],
    [
      'unmaps, where UNMAP allows and that reads as zeroes',
      () => new ThinDisk(),
      true,
      zeroes,
      ['unmap 0+2048'],
    ],
    [
      'writes zeroes itself, where unmapped blocks hold anything',
      () => zeroing(diskWith(new ThinDisk(), { unmapReadsZeroes: false })),
      true,
      zeroes,
      ['zero 0+2048 unmap'],
    ],
    [
      'is sent zeroes, where unmapped blocks hold anything and it has no writeZeroes',
      () => diskWith(new ThinDisk(), { unmapReadsZeroes: false }),
      true,
      zeroes,
      ['write 0+2048'],
    ],
    [
      'is sent zeroes, where UNMAP does not allow a hole',
      () => new ThinDisk(),
      false,
      zeroes,
      ['write 0+2048'],
    ],
    [
      'is sent a pattern, though UNMAP is set',
      () => zeroing(new ThinDisk()),
      true,
      pattern(512),
      ['write 0+2048'],
    ],
  ];
  for (const [what, make, unmap, block, calls] of ways) {
    it(`the disk ${what}`, async () => {
      const disk = make();
      disk.bytes.fill(7);
      await good(readyUnit(disk), cdb.writeSame16(0, 4, { unmap }), block);
      expect(disk.calls).to.deep.equal(calls);
      for (let lba = 0; lba < 4; lba++) {
        expect(Buffer.compare(disk.bytes.subarray(lba * 512, (lba + 1) * 512), block)).to.equal(0);
      }
      expect(disk.bytes[2048]).to.equal(7);
    });
  }

  it('is made stable where the write cache is off', async () => {
    for (const nativeFua of [false, true]) {
      const disk = diskWith(zeroing(new ThinDisk()), { nativeFua });
      const unit = readyUnit(disk);
      const list = Uint8Array.from(Buffer.from(`000000000812${'00'.repeat(18)}`, 'hex'));
      await good(unit, [0x15, 0x10, 0, 0, list.length, 0], list);
      await good(unit, cdb.writeSame16(0, 4), zeroes);
      expect(disk.calls.splice(0)).to.deep.equal(['zero 0+2048', 'flush fua']);
      await good(unit, cdb.writeSame16(0, 4), pattern(512));
      expect(disk.calls).to.deep.equal(nativeFua ? ['write 0+2048 fua'] : ['write 0+2048 fua', 'flush fua']);
    }
  });

  it('writes long ranges a piece at a time, the last one shorter', async () => {
    const disk = new TestDisk(2048);
    await good(readyUnit(disk), cdb.writeSame10(0, 1025), pattern(512));
    expect(disk.calls).to.deep.equal(['write 0+262144', 'write 262144+262144', 'write 524288+512']);
  });

  it('stops when it is aborted', async () => {
    const first = new Deferred();
    let writes = 0;
    const disk = diskWith(new TestDisk(8192), { write: () => (writes++, first.promise) });
    const controller = new AbortController();
    const unit = readyUnit(disk);
    const command = cdb.writeSame10(0, (2 * MIB) / 512);
    const response = run(unit, command, pattern(512), { signal: controller.signal });
    await new Promise(setImmediate);
    controller.abort();
    first.resolve();
    expect(senseOf(await response)).to.equal('b/00/00');
    expect(writes).to.equal(1);
    expect(unit.locks.idle, 'the range is free again').to.equal(true);
  });

  describe('beside other writes', () => {
    /** Each write waits until it is let go; then it notes its block of data. */
    function heldDisk(): { disk: Disk & TestDisk; held: Deferred[]; order: string[] } {
      const held: Deferred[] = [];
      const order: string[] = [];
      const disk = diskWith(new TestDisk(8192), {
        async write(buffer: Uint8Array, offset: number, _context: CommandContext) {
          const deferred = new Deferred();
          held.push(deferred);
          order.push(`${offset}+${buffer.length}`);
          await deferred.promise;
        },
      });
      return { disk, held, order };
    }

    async function release(held: Deferred[]): Promise<void> {
      while (held.length > 0) {
        held.shift()!.resolve();
        await new Promise(setImmediate);
      }
    }

    it('lets none into its range, and those outside pass', async () => {
      const { disk, held, order } = heldDisk();
      const unit = readyUnit(disk);
      const same = run(unit, cdb.writeSame10(0, 1024), pattern(512));
      await new Promise(setImmediate);
      const inside = run(unit, cdb.write10(1023, 1), new Uint8Array(512));
      const outside = run(unit, cdb.write10(1024, 1), new Uint8Array(512));
      await new Promise(setImmediate);
      expect(order).to.deep.equal(['0+262144', '524288+512']);
      await release(held);
      for (const response of [same, inside, outside]) expect((await response).status).to.equal(0);
      expect(order).to.deep.equal(['0+262144', '524288+512', '262144+262144', '523776+512']);
    });

    it('waits for writes that run in its range', async () => {
      const { disk, held, order } = heldDisk();
      const unit = readyUnit(disk);
      const write = run(unit, cdb.write10(5, 1), new Uint8Array(512));
      const same = run(unit, cdb.writeSame10(0, 16), pattern(512));
      await new Promise(setImmediate);
      expect(order).to.deep.equal(['2560+512']);
      await release(held);
      expect([(await write).status, (await same).status]).to.deep.equal([0, 0]);
      expect(order).to.deep.equal(['2560+512', '0+8192']);
    });

    it('lets the next ones in when it fails', async () => {
      let writes = 0;
      const disk = diskWith(new TestDisk(), {
        write: () =>
          writes++ === 0 ? Promise.reject(Object.assign(new Error('no'), { code: 'ENOSPC' })) : undefined,
      });
      const unit = readyUnit(disk);
      const same = run(unit, cdb.writeSame10(0, 16), pattern(512));
      const write = run(unit, cdb.write10(5, 1), new Uint8Array(512));
      expect(senseOf(await same)).to.equal('7/27/07');
      expect((await write).status).to.equal(0);
    });
  });
});
