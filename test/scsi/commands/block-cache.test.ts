import { expect } from 'chai';
import * as cdb from '../../../src/scsi/cdb.js';
import type { CommandContext } from '../../../src/scsi/disk.js';
import { diskWith, TestDisk } from '../support/disk.js';
import { Deferred, good, nexus, readyUnit, refused, run, senseOf } from '../support/unit.js';

const failing = (code: string): Error => Object.assign(new Error('no'), { code });

describe('SYNCHRONIZE CACHE with IMMED', () => {
  for (const [width, synchronizeCache] of [
    ['10', cdb.synchronizeCache10],
    ['16', cdb.synchronizeCache16],
  ] as const) {
    it(`of ${width} bytes is answered before the flush is done`, async () => {
      const flushed = new Deferred();
      let given: CommandContext | undefined;
      const flush = (context: CommandContext) => ((given = context), flushed.promise);
      const unit = readyUnit(diskWith(new TestDisk(), { flush }));
      const controller = new AbortController();
      await good(unit, synchronizeCache(0, 0, true), undefined, { signal: controller.signal });
      controller.abort();
      expect(given!.signal.aborted, 'the command is over').to.equal(false);
      let closed = false;
      const closing = unit.close().then(() => (closed = true));
      await Promise.resolve();
      expect(closed).to.equal(false);
      flushed.resolve();
      await closing;
      await good(unit, cdb.testUnitReady());
    });
  }

  it('checks its range first, and fails where the flush does at once', async () => {
    const unit = readyUnit(
      diskWith(new TestDisk(), {
        flush: () => {
          throw failing('EIO');
        },
      }),
    );
    await refused('5/21/00', unit, cdb.synchronizeCache10(2049, 0, true));
    await refused('3/0c/00', unit, cdb.synchronizeCache10(0, 0, true));
    await good(readyUnit(diskWith(new TestDisk(), { flush: undefined })), cdb.synchronizeCache10(0, 0, true));
  });

  it('tells a later failure once, as a deferred error, to whom it concerns', async () => {
    for (const [error, sense] of [
      [failing('EIO'), '3/0c/00'],
      [new Error('a fault'), '4/44/00'],
    ] as const) {
      const flushed = new Deferred();
      const unit = readyUnit(diskWith(new TestDisk(), { flush: () => flushed.promise }));
      const other = { name: 'iqn.test:other' };
      unit.attentions.take(other);
      await good(unit, cdb.synchronizeCache10(0, 0, true));
      flushed.reject(error);
      await unit.close();
      await good(unit, cdb.testUnitReady(), undefined, { nexus: other });
      await good(unit, cdb.inquiry(36));
      const response = await run(unit, cdb.read10(0, 1));
      expect(senseOf(response)).to.equal(sense);
      expect(response.sense[0], 'response code').to.equal(0x71);
      await good(unit, cdb.read10(0, 1));
    }
  });

  it('forgets it with the nexus', async () => {
    const flushed = new Deferred();
    const unit = readyUnit(diskWith(new TestDisk(), { flush: () => flushed.promise }));
    await good(unit, cdb.synchronizeCache10(0, 0, true));
    flushed.reject(failing('EIO'));
    await unit.close();
    await unit.nexusLost(nexus);
    expect(unit.background.deferring).to.equal(false);
  });
});

describe('PRE-FETCH', () => {
  for (const [width, preFetch] of [
    ['10', cdb.preFetch10],
    ['16', cdb.preFetch16],
  ] as const) {
    it(`of ${width} bytes is GOOD for each range on the disk, and touches nothing`, async () => {
      const disk = new TestDisk(100);
      const unit = readyUnit(disk);
      for (const immed of [false, true]) {
        await good(unit, preFetch(0, 100, immed));
        await good(unit, preFetch(99, 0, immed));
        await refused('5/21/00', unit, preFetch(99, 2, immed));
        await refused('5/21/00', unit, preFetch(101, 0, immed));
      }
      expect(disk.calls).to.deep.equal([]);
    });
  }
});
