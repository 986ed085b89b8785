import { expect } from 'chai';
import * as cdb from '../../../src/scsi/cdb.js';
import type { LogicalUnit } from '../../../src/scsi/logical-unit.js';
import { diskWith, TestDisk, ThinDisk } from '../support/disk.js';
import { Deferred, good, readyUnit, refused, run, senseOf } from '../support/unit.js';

type Ranges = Parameters<typeof cdb.unmapParameters>[0];

function request(ranges: Ranges): [Uint8Array, Uint8Array] {
  const list = cdb.unmapParameters(ranges);
  return [cdb.unmap(list.length), list];
}

const unmap = (unit: LogicalUnit, ranges: Ranges): Promise<Uint8Array> => good(unit, ...request(ranges));

describe('UNMAP', () => {
  it('deallocates each range, in order', async () => {
    const disk = new ThinDisk(64, 4096);
    disk.bytes.fill(1);
    await unmap(readyUnit(disk), [
      { lba: 10, blocks: 2 },
      { lba: 0, blocks: 1 },
      { lba: 5, blocks: 0 },
      { lba: 63, blocks: 1 },
    ]);
    expect(disk.calls).to.deep.equal(['unmap 40960+8192', 'unmap 0+4096', 'unmap 258048+4096']);
    expect(disk.bytes.reduce((sum, byte) => sum + byte, 0)).to.equal(60 * 4096);
  });

  it('is not there on a disk that cannot', async () => {
    await refused('5/20/00', readyUnit(new TestDisk()), ...request([{ lba: 0, blocks: 1 }]));
  });

  it('of no list, no descriptors or a part of a descriptor does nothing', async () => {
    const disk = new ThinDisk();
    const unit = readyUnit(disk);
    await good(unit, cdb.unmap(0));
    await unmap(unit, []);
    const list = new Uint8Array(8 + 15);
    list.set([0, 21, 0, 15]);
    await good(unit, cdb.unmap(list.length), list);
    expect(disk.calls).to.deep.equal([]);
  });

  it('refuses anchored blocks', async () => {
    const [command, list] = request([{ lba: 0, blocks: 1 }]);
    const { field } = await refused('5/24/00', readyUnit(new ThinDisk()), command.with(1, 1), list);
    expect(field).to.deep.equal({ inCdb: true, byte: 1, bit: 0 });
  });

  it('refuses lists that are too short', async () => {
    const unit = readyUnit(new ThinDisk());
    const [command, list] = request([{ lba: 0, blocks: 1 }]);
    await refused('5/1a/00', unit, cdb.unmap(7), list);
    await refused('5/1a/00', unit, cdb.unmap(16), list);
    await refused('5/0e/03', unit, command, list.subarray(0, 23));
  });

  it('checks the whole list before it deallocates anything', async () => {
    const disk = new ThinDisk(100);
    const unit = readyUnit(disk);
    const fine = { lba: 0, blocks: 1 };
    for (const bad of [
      { lba: 100, blocks: 1 },
      { lba: 99, blocks: 2 },
      { lba: 101, blocks: 0 },
      { lba: Number.MAX_SAFE_INTEGER, blocks: 0xffff_ffff },
    ]) {
      await refused('5/21/00', unit, ...request([fine, bad]));
    }
    const [command, list] = request([fine]);
    await refused('5/21/00', unit, command, list.fill(0xff, 8, 16));
    expect(disk.calls).to.deep.equal([]);
  });

  it('keeps to the limits of VPD page B0h', async () => {
    const disk = new ThinDisk(2048);
    const unit = readyUnit(disk, { maxUnmapDescriptors: 2, maxUnmapBlocks: 100 });
    await unmap(unit, [
      { lba: 0, blocks: 50 },
      { lba: 50, blocks: 50 },
    ]);
    const two = [
      { lba: 0, blocks: 50 },
      { lba: 50, blocks: 51 },
    ];
    expect((await refused('5/26/00', unit, ...request(two))).field).to.deep.equal({ inCdb: false, byte: 8 });
    const three = new Array(3).fill({ lba: 0, blocks: 1 }) as Ranges;
    expect((await refused('5/26/00', unit, ...request(three))).field).to.include({ byte: 2 });
    expect(disk.calls).to.have.length(2);
  });

  it('is refused where nothing may be written', async () => {
    for (const properties of [{ readOnly: true }, { write: undefined }]) {
      const disk = diskWith(new ThinDisk(), properties);
      await refused('7/27/00', readyUnit(disk), ...request([{ lba: 0, blocks: 1 }]));
    }
  });

  it('runs one range after the other, and stops at a failure', async () => {
    const first = new Deferred();
    const offsets: number[] = [];
    const disk = diskWith(new ThinDisk(), {
      unmap(offset: number) {
        offsets.push(offset);
        return first.promise;
      },
    });
    const response = run(
      readyUnit(disk),
      ...request([
        { lba: 0, blocks: 1 },
        { lba: 8, blocks: 1 },
      ]),
    );
    await new Promise(setImmediate);
    expect(offsets).to.deep.equal([0]);
    first.reject(Object.assign(new Error('no'), { code: 'EIO' }));
    expect(senseOf(await response)).to.equal('3/0c/00');
    expect(offsets).to.deep.equal([0]);
  });

  it('is made stable where the write cache is off, also on a disk that does FUA itself', async () => {
    for (const nativeFua of [false, true]) {
      const disk = diskWith(new ThinDisk(), { nativeFua });
      const unit = readyUnit(disk);
      const list = Uint8Array.from(Buffer.from(`000000000812${'00'.repeat(18)}`, 'hex'));
      await good(unit, [0x15, 0x10, 0, 0, list.length, 0], list);
      await unmap(unit, [{ lba: 0, blocks: 1 }]);
      expect(disk.calls).to.deep.equal(['unmap 0+512 fua', 'flush fua']);
    }
  });

  it('needs no flush on a disk without a write cache', async () => {
    const disk = diskWith(new ThinDisk(), { writeCache: false });
    await unmap(readyUnit(disk), [{ lba: 0, blocks: 1 }]);
    expect(disk.calls).to.deep.equal(['unmap 0+512']);
  });
});
