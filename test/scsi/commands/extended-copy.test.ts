import { expect } from 'chai';
import * as cdb from '../../../src/scsi/cdb.js';
import { copyLimits } from '../../../src/scsi/copy-limits.js';
import type { CopyListFields } from '../../../src/scsi/cdb-copy.js';
import { decodeSense } from '../../../src/scsi/sense-data.js';
import { extendedCopy, targetsOf, unitsOf } from '../support/copy.js';
import { diskWith, pattern, TestDisk } from '../support/disk.js';
import { Deferred, good, readyUnit, refused, run, senseOf } from '../support/unit.js';

const whole = { source: 0, destination: 0, blocks: 1, sourceLba: 0, destinationLba: 1 };

function setUp(blocks = 64, blockSize = 512) {
  const disk = new TestDisk(blocks, blockSize);
  disk.bytes = pattern(disk.size);
  const [unit] = unitsOf([disk]);
  return { disk, unit, targets: targetsOf(unit) };
}

/** Send a list as it is. */
function send(list: Uint8Array, length = list.length) {
  const { unit } = setUp();
  return run(unit, cdb.extendedCopy(length), list);
}

function listOf(fields: Partial<CopyListFields> = {}): Uint8Array {
  const { targets } = setUp();
  return cdb.extendedCopyParameters({ listId: 1, targets, segments: [whole], ...fields });
}

describe('EXTENDED COPY(LID1)', () => {
  it('copies blocks inside a unit', async () => {
    const { disk, unit, targets } = setUp();
    const before = disk.bytes.slice();
    const segments = [{ source: 0, destination: 0, blocks: 8, sourceLba: 2, destinationLba: 40 }];
    expect((await extendedCopy(unit, { targets, segments })).status).to.equal(0);
    expect(disk.bytes.subarray(40 * 512, 48 * 512)).to.deep.equal(before.subarray(2 * 512, 10 * 512));
    disk.bytes.set(before.subarray(40 * 512, 48 * 512), 40 * 512);
    expect(disk.bytes).to.deep.equal(before);
  });

  for (const [direction, sourceLba, destinationLba] of [
    ['forward', 100, 1000],
    ['backward', 1000, 100],
  ] as const) {
    it(`copies ${direction} over itself in pieces as if it were one`, async () => {
      const { disk, unit, targets } = setUp(12_000);
      const before = disk.bytes.slice();
      const segments = [{ source: 0, destination: 0, blocks: 8000, sourceLba, destinationLba }];
      expect((await extendedCopy(unit, { targets, segments })).status).to.equal(0);
      before.copyWithin(destinationLba * 512, sourceLba * 512, (sourceLba + 8000) * 512);
      expect(disk.bytes).to.deep.equal(before);
      const sizes = disk.calls.map((call) => Number(/\+(\d+)/.exec(call)?.[1] ?? 0));
      expect(Math.max(...sizes)).to.equal(copyLimits.chunkBytes);
    });
  }

  it('copies between units of other block sizes, counted in blocks of either', async () => {
    const [from, to] = [new TestDisk(64), new TestDisk(16, 4096)];
    from.bytes = pattern(from.size);
    const units = unitsOf([from, to]);
    const segments = [
      { source: 0, destination: 1, blocks: 8, sourceLba: 3, destinationLba: 2 },
      { source: 0, destination: 1, blocks: 1, sourceLba: 20, destinationLba: 9, destinationCounts: true },
    ];
    // The command may go to either unit, or to a third one.
    expect((await extendedCopy(units[1], { targets: targetsOf(...units), segments })).status).to.equal(0);
    expect(to.bytes.subarray(8192, 12_288)).to.deep.equal(from.bytes.subarray(1536, 5632));
    expect(to.bytes.subarray(36_864, 40_960)).to.deep.equal(from.bytes.subarray(10_240, 14_336));
  });

  it('copies bytes at offsets, and keeps what else is in the first block', async () => {
    const { disk, unit, targets } = setUp();
    const before = disk.bytes.slice();
    const segment = { source: 0, destination: 0, sourceLba: 1, destinationLba: 30 };
    const segments = [{ ...segment, bytes: 612, sourceByte: 412, destinationByte: 412 }];
    expect((await extendedCopy(unit, { targets, segments })).status).to.equal(0);
    const expected = before.slice();
    expected.set(before.subarray(512 + 412, 1536), 30 * 512 + 412);
    expect(disk.bytes).to.deep.equal(expected);
  });

  it('fills the last block with zeroes where PAD allows it, and refuses an inexact segment otherwise', async () => {
    const { disk, unit, targets } = setUp();
    const source = disk.bytes.slice(0, 100);
    const segments = [{ source: 0, destination: 0, sourceLba: 0, destinationLba: 9, bytes: 100 }];
    const inexact = await extendedCopy(unit, { targets, segments });
    expect(senseOf(inexact)).to.equal('a/26/0a');
    const padded = await extendedCopy(unit, { targets: [{ ...targets[0], pad: true }], segments });
    expect(padded.status).to.equal(0);
    const expected = new Uint8Array(512);
    expected.set(source);
    expect(disk.bytes.slice(9 * 512, 10 * 512)).to.deep.equal(expected);
  });

  it('takes nothing for no error: no parameter list, no descriptors, no blocks', async () => {
    const { disk, unit, targets } = setUp();
    await good(unit, cdb.extendedCopy(0));
    expect((await extendedCopy(unit, { targets: [], segments: [] })).status).to.equal(0);
    expect((await extendedCopy(unit, { targets, segments: [{ ...whole, blocks: 0 }] })).status).to.equal(0);
    expect(disk.calls).to.deep.equal([]);
  });

  it('flushes what it wrote where the write cache is off', async () => {
    const { disk, unit, targets } = setUp();
    unit.modes.find(0x08)!.current[2] = 0;
    expect((await extendedCopy(unit, { targets, segments: [whole] })).status).to.equal(0);
    expect(disk.calls).to.deep.equal(['read 0+512', 'write 512+512 fua', 'flush fua']);
  });

  describe('refuses as a whole', () => {
    it('a list that is shorter than it says', async () => {
      const list = listOf();
      for (const length of [1, 15, 16, 16 + 31, list.length - 1]) {
        expect(senseOf(await send(list, length)), `${length} bytes`).to.equal('5/1a/00');
      }
    });

    it('a list that is longer than the limit', async () => {
      expect(senseOf(await send(new Uint8Array(4000)))).to.equal('5/1a/00');
      const list = listOf();
      list[10] = 0x10;
      expect(senseOf(await send(list))).to.equal('5/1a/00');
    });

    it('too many descriptors', async () => {
      const [target] = setUp().targets;
      const targets = new Array<typeof target>(copyLimits.targets + 1).fill(target);
      expect(senseOf(await send(listOf({ targets })))).to.equal('5/26/06');
      const segments = new Array<typeof whole>(copyLimits.segments + 1).fill(whole);
      expect(senseOf(await send(listOf({ segments })))).to.equal('5/26/08');
    });

    it('descriptors of other types', async () => {
      const list = listOf();
      expect(senseOf(await send(list.with(16, 0xe0)))).to.equal('5/26/07');
      expect(senseOf(await send(list.with(48, 0x03)))).to.equal('5/26/09');
    });

    const wrong: [string, number, number, string][] = [
      ['a reserved LIST ID USAGE', 1, 0x08, '5/26/00'],
      ['a list identifier that is said not to be', 1, 0x18, '5/26/00'],
      ['inline data', 15, 1, '5/26/0b'],
      ['CSCD descriptors of another length', 3, 31, '5/26/00'],
      ['a segment descriptor of another length', 51, 0x1c, '5/26/00'],
      ['a designator that is too long', 23, 21, '5/26/00'],
      ['a segment descriptor that is cut off', 11, 27, '5/26/00'],
    ];
    for (const [what, at, value, sense] of wrong) {
      it(what, async () => expect(senseOf(await send(listOf().with(at, value)))).to.equal(sense));
    }
  });

  describe('aborts the copy', () => {
    async function aborted(
      fields: Partial<typeof whole>,
      target: Partial<CopyListFields['targets'][0]> = {},
    ) {
      const { disk, unit, targets } = setUp();
      const segments = [{ ...whole, ...fields }];
      const response = await extendedCopy(unit, { targets: [{ ...targets[0], ...target }], segments });
      expect(disk.calls.filter((call) => call.startsWith('write'))).to.deep.equal([]);
      return senseOf(response);
    }

    it('for an index without a CSCD descriptor', async () => {
      expect(await aborted({ source: 1 })).to.equal('a/08/04');
      expect(await aborted({ destination: 0xffff })).to.equal('a/08/04');
    });

    it('for a unit that is not here', async () => {
      expect(await aborted({}, { value: new Uint8Array(16) })).to.equal('a/0d/02');
      const { disk } = setUp();
      const alone = readyUnit(disk, { serial: 'alone' });
      const targets = targetsOf(alone, unitsOf([new TestDisk()])[0]);
      const segments = [{ ...whole, destination: 1 }];
      expect(senseOf(await extendedCopy(alone, { targets, segments }))).to.equal('a/0d/02');
    });

    it('for a unit of another block length', async () => {
      expect(await aborted({}, { blockLength: 4096 })).to.equal('a/0d/03');
    });

    it('for blocks past the end of either', async () => {
      expect(await aborted({ sourceLba: 64 })).to.equal('a/00/00');
      expect(await aborted({ destinationLba: 63, blocks: 2 })).to.equal('a/00/00');
      expect(await aborted({ destinationLba: Number.MAX_SAFE_INTEGER })).to.equal('a/00/00');
    });

    it('for more than a segment may have', async () => {
      expect(await aborted({ blocks: 40_000 })).to.equal('a/26/00');
    });

    it('naming the segment, when those before it are copied', async () => {
      const { disk, unit, targets } = setUp();
      const segments = [whole, { ...whole, sourceLba: 70 }];
      const { sense } = await extendedCopy(unit, { targets, segments });
      expect(decodeSense(sense)?.key).to.equal(0x0a);
      expect(sense[11]).to.equal(1);
      expect(disk.bytes.slice(512, 1024)).to.deep.equal(disk.bytes.slice(0, 512));
    });

    it('for a read-only or stopped unit, and a disk that fails', async () => {
      const disks = [
        new TestDisk(),
        diskWith(new TestDisk(), { readOnly: true }),
        new TestDisk(),
        diskWith(new TestDisk(), {
          write() {
            throw Object.assign(new Error('broken'), { code: 'EIO' });
          },
        }),
      ];
      const units = unitsOf(disks);
      units[2].medium.power = 'stopped';
      for (const destination of [1, 2, 3]) {
        const response = await extendedCopy(units[0], {
          targets: targetsOf(...units),
          segments: [{ ...whole, destination }],
        });
        expect(senseOf(response)).to.equal('a/0d/01');
      }
    });
  });

  it('reports what is no error of the disk as that', async () => {
    const failing = diskWith(new TestDisk(), {
      read() {
        throw new TypeError('a fault');
      },
    });
    const [unit] = unitsOf([failing]);
    const response = await extendedCopy(unit, { targets: targetsOf(unit), segments: [whole] });
    expect(senseOf(response)).to.equal('4/44/00');
  });

  it('ends when it is aborted', async () => {
    const [started, go] = [new Deferred(), new Deferred()];
    const slow = diskWith(new TestDisk(8192), {
      async read() {
        started.resolve();
        await go.promise;
      },
    });
    const [unit] = unitsOf([slow]);
    const controller = new AbortController();
    const segments = [{ ...whole, blocks: 4096, destinationLba: 4096 }];
    const ended = extendedCopy(unit, { targets: targetsOf(unit), segments }, { signal: controller.signal });
    await started.promise;
    controller.abort();
    go.resolve();
    expect(senseOf(await ended)).to.equal('b/00/00');
  });

  it('keeps other writes out of its destination', async () => {
    const [started, go] = [new Deferred(), new Deferred()];
    const disk = new TestDisk();
    const slow = diskWith(new TestDisk(), {
      async read() {
        started.resolve();
        await go.promise;
      },
    });
    const units = unitsOf([slow, disk]);
    const segments = [{ ...whole, destination: 1 }];
    const copied = extendedCopy(units[0], { targets: targetsOf(...units), segments });
    await started.promise;
    const written = good(units[1], cdb.write16(1, 1), new Uint8Array(512).fill(9));
    go.resolve();
    expect((await copied).status).to.equal(0);
    await written;
    expect(disk.bytes[512]).to.equal(9);
  });

  it('respects a reservation of the other unit', async () => {
    const units = unitsOf([new TestDisk(), new TestDisk()]);
    const other = { name: 'other' };
    units[1].attentions.take(other);
    await good(units[1], [0x16, 0, 0, 0, 0, 0], undefined, { nexus: other });
    const response = await extendedCopy(units[0], {
      targets: targetsOf(...units),
      segments: [{ ...whole, destination: 1 }],
    });
    expect(response.status).to.equal(0x18);
  });

  it('refuses a list identifier that is in use, and more copies than may run', async () => {
    const go = new Deferred();
    const slow = diskWith(new TestDisk(), { read: () => go.promise });
    const [unit] = unitsOf([slow]);
    const fields = { targets: targetsOf(unit), segments: [whole] };
    const running = Array.from({ length: copyLimits.concurrent }, (_, listId) =>
      extendedCopy(unit, { ...fields, listId }),
    );
    expect(senseOf(await extendedCopy(unit, { ...fields, listId: 3 }))).to.equal('5/00/16');
    expect((await extendedCopy(unit, fields)).status).to.equal(0x08);
    go.resolve();
    for (const { status } of await Promise.all(running)) expect(status).to.equal(0);
    expect((await extendedCopy(unit, { ...fields, listId: 3 })).status).to.equal(0);
  });

  it('is refused with too little Data-Out', async () => {
    const { unit } = setUp();
    await refused('5/0e/03', unit, cdb.extendedCopy(76), new Uint8Array(40));
  });
});
