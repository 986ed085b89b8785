import { expect } from 'chai';
import * as cdb from '../../src/scsi/cdb.js';
import { additionalSense } from '../../src/scsi/sense.js';
import type { LogicalUnit } from '../../src/scsi/logical-unit.js';
import { CapableDisk, diskWith, pattern, TestDisk, ThinDisk } from './support/disk.js';
import { Deferred, good, nexus, readyUnit, refused, run, senseOf } from './support/unit.js';

/** The unit attentions that wait for the nexus, as the initiator finds them. */
async function attentions(unit: LogicalUnit): Promise<string[]> {
  const found: string[] = [];
  for (;;) {
    const answer = senseOf(await run(unit, cdb.testUnitReady()));
    if (answer === 'status 0') return found;
    found.push(answer);
  }
}

async function swap(unit: LogicalUnit, disk: Parameters<LogicalUnit['replaceDisk']>[0]): Promise<void> {
  await unit.quiesce();
  try {
    unit.replaceDisk(disk);
  } finally {
    unit.resume();
  }
}

describe('LogicalUnit.replaceDisk', () => {
  it('serves from the new disk, and says nothing where nothing can be seen', async () => {
    const unit = readyUnit(new TestDisk());
    const next = new TestDisk();
    next.bytes.set(pattern(512), 512);
    await swap(unit, next);
    expect(await attentions(unit)).to.deep.equal([]);
    expect(await good(unit, cdb.read10(1, 1), undefined, { dataInLength: 512 })).to.deep.equal(pattern(512));
  });

  const cases: readonly [string, TestDisk, TestDisk, string[]][] = [
    ['another size', new TestDisk(2048), new TestDisk(4096), ['6/2a/09']],
    ['no more writes', new TestDisk(), diskWith(new TestDisk(), { readOnly: true }), ['6/2a/01']],
    ['thin provisioning', new TestDisk(), new ThinDisk(), ['6/3f/03', '6/2a/09']],
    ['a command more', new ThinDisk(), new CapableDisk(), ['6/3f/03']],
    [
      'no write cache',
      new TestDisk(),
      diskWith(new TestDisk(), { flush: undefined }),
      ['6/3f/03', '6/2a/01'],
    ],
    [
      'other block sizes below',
      new TestDisk(),
      diskWith(new TestDisk(), { physicalBlockSize: 4096 }),
      ['6/3f/03', '6/2a/09'],
    ],
  ];
  for (const [what, before, after, expected] of cases) {
    it(`tells initiators of ${what}`, async () => {
      const unit = readyUnit(before);
      await swap(unit, after);
      expect(await attentions(unit)).to.deep.equal(expected);
    });
  }

  it('has the commands of the new disk', async () => {
    const unit = readyUnit(new TestDisk());
    await refused('5/20/00', unit, cdb.unmap(24), new Uint8Array(24));
    await swap(unit, new ThinDisk());
    await attentions(unit);
    await good(unit, cdb.unmap(24), cdb.unmapParameters([{ lba: 0, blocks: 8 }]));
  });

  it('keeps reservations and what MODE SELECT set', async () => {
    const unit = readyUnit(new TestDisk());
    // D_SENSE and SWP of the control mode page.
    const control = unit.modes.find(0x0a)!.current.slice();
    control[2] |= 0x04;
    control[4] |= 0x08;
    await good(unit, [0x15, 0x10, 0, 0, 4 + control.length, 0], Uint8Array.of(0, 0, 0, 0, ...control));
    await good(unit, [0x16, 0, 0, 0, 0, 0]);
    await swap(unit, new ThinDisk());
    expect(unit.modes.senseFormat).to.equal('descriptor');
    await attentions(unit);
    await refused('7/27/00', unit, cdb.write10(0, 1), new Uint8Array(512));
    const other = await run(unit, cdb.read10(0, 1), undefined, {
      dataInLength: 512,
      nexus: { name: 'other' },
    });
    expect(['6/29/00', 'status 24']).to.include(senseOf(other));
  });

  it('refuses another block size and what is no disk, and serves on', async () => {
    const disk = new TestDisk();
    const unit = readyUnit(disk);
    await unit.quiesce();
    expect(() => unit.replaceDisk(new TestDisk(256, 4096))).to.throw(RangeError, /4096 bytes/);
    expect(() => unit.replaceDisk(diskWith(new TestDisk(), { size: 100 }))).to.throw(RangeError);
    expect(() =>
      unit.replaceDisk(diskWith(new TestDisk(), { vendorCommands: [], read: undefined })),
    ).to.throw(TypeError);
    unit.resume();
    await good(unit, cdb.write10(0, 1), pattern(512));
    expect(disk.bytes.subarray(0, 512)).to.deep.equal(pattern(512));
  });

  it('refuses while a format goes on', async () => {
    const format = new Deferred();
    const disk = diskWith(new TestDisk(), { writeZeroes: () => format.promise });
    const unit = readyUnit(disk);
    await good(unit, [0x04, 0x10, 0, 0, 0, 0], Uint8Array.of(0, 0x02, 0, 0));
    await unit.quiesce();
    expect(() => unit.replaceDisk(new TestDisk())).to.throw(/format is in progress/);
    unit.resume();
    format.resolve();
    await unit.close();
  });
});

describe('a logical unit that is quiesced', () => {
  it('waits for what was started, holds back what comes, and starts it in order', async () => {
    const held: { offset: number; done: Deferred }[] = [];
    const disk = diskWith(new TestDisk(), {
      read(_buffer: Uint8Array, offset: number) {
        const done = new Deferred();
        held.push({ offset, done });
        return done.promise;
      },
    });
    const unit = readyUnit(disk);
    const read = (lba: number): ReturnType<typeof run> =>
      run(unit, cdb.read10(lba, 1), undefined, { dataInLength: 512 });
    const first = read(1);
    let quiet = false;
    const quiesced = unit.quiesce().then(() => (quiet = true));
    const others = [read(2), read(3)];
    await new Promise(setImmediate);
    expect(quiet).to.equal(false);
    expect(held.map(({ offset }) => offset)).to.deep.equal([512]);
    held[0].done.resolve();
    await first;
    await quiesced;
    expect(held).to.have.length(1);
    unit.resume();
    expect(held.map(({ offset }) => offset)).to.deep.equal([512, 1024, 1536]);
    for (const { done } of held) done.resolve();
    for (const { status } of await Promise.all(others)) expect(status).to.equal(0);
  });

  it('ends what is aborted while it is held back', async () => {
    const unit = readyUnit(new TestDisk());
    await unit.quiesce();
    const waiting = run(unit, cdb.testUnitReady());
    await unit.abortTaskSet(nexus);
    expect((await waiting).status).to.equal(0x40);
    unit.resume();
    await good(unit, cdb.testUnitReady());
  });
});

describe('LogicalUnit.setWriteCache', () => {
  it('is what MODE SELECT would do, and initiators learn of it', async () => {
    const disk = new TestDisk();
    const unit = readyUnit(disk);
    unit.setWriteCache(false);
    expect(unit.attentions.take(nexus)).to.equal(additionalSense.modeParametersChanged);
    await good(unit, cdb.write10(0, 1), pattern(512));
    expect(disk.calls.at(-1)).to.match(/^flush/);
    unit.setWriteCache(true);
    expect(await attentions(unit)).to.deep.equal(['6/2a/01']);
    unit.setWriteCache(true);
    expect(await attentions(unit)).to.deep.equal([]);
  });

  it('cannot be enabled where the disk has none', () => {
    const unit = readyUnit(diskWith(new TestDisk(), { flush: undefined }));
    expect(() => unit.setWriteCache(true)).to.throw(/no write cache/);
    unit.setWriteCache(false);
  });
});
