import { expect } from 'chai';
import * as cdb from '../../src/scsi/cdb.js';
import type { Disk, Done } from '../../src/scsi/disk.js';
import { LogicalUnit } from '../../src/scsi/logical-unit.js';
import { diskWith, TestDisk, ThinDisk } from './support/disk.js';
import {
  Deferred,
  good,
  nexus,
  readyUnit,
  refused,
  run,
  senseOf,
  submit,
  TestCommand,
} from './support/unit.js';

describe('LogicalUnit', () => {
  describe('refuses to be made of', () => {
    const disks: [string, Partial<Disk>, string][] = [
      ['a size of 0', { size: 0 }, 'size 0'],
      ['a size that is no number', { size: NaN }, 'size NaN'],
      ['a size of part of a block', { size: 1000 }, 'size 1000'],
      ['a size past 2^53', { size: 2 ** 60 }, 'block size 512'],
      ['a block size that is no power of two', { blockSize: 1000 }, 'block size 1000'],
      ['a block size below 512', { blockSize: 256 }, 'block size 256'],
      ['a block size above 65536', { blockSize: 131072 }, 'block size 131072'],
      ['a disk without read', { read: undefined }, '`read`'],
    ];
    for (const [what, properties, message] of disks) {
      it(what, () => {
        expect(() => new LogicalUnit(diskWith(new TestDisk(), properties))).to.throw(message);
      });
    }
  });

  describe('execute', () => {
    it('is a nexus of its own, unless one is named', async () => {
      const unit = new LogicalUnit(new TestDisk());
      expect(senseOf(await unit.execute(cdb.testUnitReady()))).to.equal('6/29/00');
      expect((await unit.execute(cdb.testUnitReady())).status).to.equal(0);
      expect(senseOf(await unit.execute(cdb.testUnitReady(), undefined, { nexus }))).to.equal('6/29/00');
    });

    it('takes CDBs of 1 to 260 bytes', async () => {
      const unit = readyUnit(new TestDisk());
      expect(() => unit.execute(new Uint8Array())).to.throw(RangeError, '1 to 260');
      expect(() => unit.execute(new Uint8Array(261))).to.throw(RangeError, '261');
      await refused('5/24/00', unit, [0x00]);
      await good(unit, new Uint8Array(260));
    });
  });

  describe('answers once, and stays alive, when a verb', () => {
    const thrower = (error: unknown) => (): never => {
      throw error;
    };
    const junk: [string, () => unknown][] = [
      ['throws a string', thrower('no')],
      ['throws nothing', thrower(undefined)],
      ['rejects with nothing', () => Promise.resolve().then(thrower(undefined))],
      ['rejects with an object without a prototype', () => Promise.reject(Object.create(null) as Error)],
      [
        'returns a thenable that throws',
        () => ({
          then: thrower(new Error('no')),
        }),
      ],
      [
        'returns a thenable whose `then` cannot be read',
        () => ({
          get then(): unknown {
            throw new Error('no');
          },
        }),
      ],
    ];
    for (const [what, verb] of junk) {
      it(`${what}: 04/44/00`, async () => {
        const broken = verb as () => Done;
        const disk = diskWith(new ThinDisk(), { read: broken, write: broken, flush: broken, unmap: broken });
        const unit = readyUnit(disk);
        const list = cdb.unmapParameters([{ lba: 0, blocks: 1 }]);
        for (const [bytes, out] of [
          [cdb.read10(0, 1), []],
          [cdb.read10(0, 2, { fua: true }), []],
          [cdb.write10(0, 1), [new Uint8Array(512)]],
          [cdb.synchronizeCache10(), []],
          [cdb.verify10(0, 1), []],
          [cdb.unmap(list.length), [list]],
          [cdb.writeSame10(0, 4), [new Uint8Array(512)]],
        ] as const) {
          const command = new TestCommand(bytes, { out: [...out], in: [new Uint8Array(512)] });
          expect(senseOf(await submit(unit, command))).to.equal('4/44/00');
          await new Promise(setImmediate);
          expect(command.completions).to.have.length(1);
        }
        await good(unit, cdb.inquiry(36));
      });
    }

    const odd: [string, () => unknown][] = [
      ['returns a number', () => 42],
      ['returns a text', () => 'done'],
      ['returns null', () => null],
      ['resolves with an object', () => Promise.resolve({ length: 7 })],
      [
        'returns a thenable that settles twice',
        () => ({
          then(resolve: (value: unknown) => void, reject: (error: unknown) => void) {
            resolve(1);
            resolve(2);
            reject(new Error('no'));
          },
        }),
      ],
    ];
    for (const [what, verb] of odd) {
      it(`${what}: GOOD, with the length that the command has`, async () => {
        const strange = verb as () => Done;
        const disk = diskWith(new TestDisk(), { read: strange, write: strange, flush: strange });
        const unit = readyUnit(disk);
        for (const [bytes, readLength] of [
          [cdb.read10(0, 1), 512],
          [cdb.read10(0, 1, { fua: true }), 512],
          [cdb.write10(0, 1, { fua: true }), undefined],
          [cdb.synchronizeCache10(), undefined],
          [Uint8Array.of(0x1b, 0, 0, 0, 0, 0), undefined],
        ] as const) {
          const command = new TestCommand(bytes, { out: [new Uint8Array(512)], in: [new Uint8Array(512)] });
          expect(await submit(unit, command)).to.include({ status: 0, readLength });
          await new Promise(setImmediate);
          expect(command.completions).to.have.length(1);
        }
      });
    }

    it('never settles: others go on', async () => {
      const never = new Deferred();
      let first = true;
      const disk = diskWith(new TestDisk(), {
        read: () => (first ? ((first = false), never.promise) : undefined),
      });
      const unit = readyUnit(disk);
      const stuck = new TestCommand(cdb.read10(0, 1), { in: [new Uint8Array(512)] });
      unit.submit(stuck, nexus);
      await good(unit, cdb.read10(0, 1));
      expect(stuck.completions).to.have.length(0);
    });
  });

  it('answers 04/44/00 and says why while the disk has no possible size', async () => {
    const logged: string[] = [];
    const disk = new TestDisk(100);
    const unit = readyUnit(disk, { log: (message) => logged.push(message) });
    for (const size of [NaN, -512, 0, 513, 2 ** 60]) {
      disk.size = size;
      await refused('4/44/00', unit, cdb.read10(0, 1));
      expect(logged.pop()).to.contain(`size ${size} is not a positive multiple`);
      expect(() => unit.capacityChanged()).to.throw(RangeError);
    }
    expect(disk.calls).to.deep.equal([]);
    disk.size = 100 * 512;
    await good(unit, cdb.read10(0, 1));
  });

  it('answers 04/44/00 where the serial number cannot be had', async () => {
    const unit = readyUnit(new TestDisk(), { serial: () => undefined as unknown as string });
    await refused('4/44/00', unit, cdb.inquiry(255, 0x80));
    await good(unit, cdb.inquiry(255));
  });

  it('keeps commands apart that run at the same time', async () => {
    const reads: { buffer: Uint8Array; done: Deferred }[] = [];
    const disk = diskWith(new TestDisk(), {
      read(buffer: Uint8Array, offset: number) {
        const done = new Deferred();
        reads.push({ buffer, done });
        buffer.fill(offset / 512);
        return done.promise;
      },
    });
    const unit = readyUnit(disk);
    const responses = Array.from({ length: 32 }, (_, lba) =>
      run(unit, cdb.read10(lba, 1), undefined, { dataInLength: 512 }),
    );
    for (const { done } of reads.reverse()) done.resolve();
    const found = (await Promise.all(responses)).map(({ dataIn }) => dataIn[511]);
    expect(found).to.deep.equal(Array.from({ length: 32 }, (_, lba) => lba));
  });
});
