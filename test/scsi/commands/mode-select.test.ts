import { expect } from 'chai';
import * as cdb from '../../../src/scsi/cdb.js';
import type { LogicalUnit } from '../../../src/scsi/logical-unit.js';
import { decodeSense } from '../../../src/scsi/sense-data.js';
import { diskWith, TestDisk } from '../support/disk.js';
import { good, readyUnit, refused, run } from '../support/unit.js';

const bytes = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex.replaceAll(' ', ''), 'hex'));

const select6 = (length: number, flags = 0x10): number[] => [0x15, flags, 0, 0, length, 0];
const select10 = (length: number, flags = 0x10): number[] => [
  ...[0x55, flags, 0, 0, 0, 0, 0],
  length >> 8,
  length & 0xff,
  0,
];

const caching = (wce: boolean): string => `0812${wce ? '04' : '00'}${'00'.repeat(17)}`;
const control = ({ dSense = false, swp = false }): string =>
  `0a0a${dSense ? '06' : '02'}10${swp ? '08' : '00'}${'00'.repeat(7)}`;

async function change(unit: LogicalUnit, pages: string): Promise<void> {
  const list = bytes(`00000000${pages}`);
  await good(unit, select6(list.length), list);
}

async function current(unit: LogicalUnit, page: number): Promise<string> {
  return Buffer.from(await good(unit, [0x1a, 8, page, 0, 255, 0]))
    .subarray(4)
    .toString('hex');
}

describe('MODE SELECT', () => {
  it('changes what may be changed, and MODE SENSE shows it beside the defaults', async () => {
    const unit = readyUnit(new TestDisk());
    await change(unit, caching(false) + control({ dSense: true, swp: true }));
    expect(await current(unit, 0x08)).to.equal(caching(false));
    expect(await current(unit, 0x0a)).to.equal(control({ dSense: true, swp: true }));
    expect(await current(unit, 0x88), 'defaults').to.equal(caching(true));
    expect(await current(unit, 0x8a), 'defaults').to.equal(control({}));
  });

  it('of 10 bytes does the same', async () => {
    const unit = readyUnit(new TestDisk());
    const list = bytes(`0000000000000000${caching(false)}`);
    await good(unit, select10(list.length), list);
    expect(await current(unit, 0x08)).to.equal(caching(false));
  });

  it('takes what MODE SENSE gave, block descriptor and all', async () => {
    const unit = readyUnit(new TestDisk());
    for (const [sense, select] of [
      [[0x1a, 0, 0x3f, 0, 255, 0], select6],
      [[0x5a, 0, 0x3f, 0, 0, 0, 0, 1, 0, 0], select10],
      [[0x5a, 0x10, 0x3f, 0, 0, 0, 0, 1, 0, 0], select10],
    ] as const) {
      const list = await good(unit, sense);
      await good(unit, select(list.length), list);
    }
  });

  it('with WCE off makes each write stable before it is answered', async () => {
    const disk = new TestDisk();
    const unit = readyUnit(disk);
    await change(unit, caching(false));
    await good(unit, cdb.write10(0, 1), new Uint8Array(512));
    expect(disk.calls).to.deep.equal(['write 0+512 fua', 'flush fua']);
    await change(unit, caching(true));
    await good(unit, cdb.write10(0, 1), new Uint8Array(512));
    expect(disk.calls.slice(2)).to.deep.equal(['write 0+512']);
  });

  it('with SWP write-protects the unit until it is cleared', async () => {
    const unit = readyUnit(new TestDisk());
    await change(unit, control({ swp: true }));
    await refused('7/27/00', unit, cdb.write10(0, 1), new Uint8Array(512));
    await refused('7/27/00', unit, cdb.writeSame16(0, 1, { ndob: true }));
    expect((await good(unit, [0x1a, 0, 0x3f, 0, 255, 0]))[2]).to.equal(0x90);
    await change(unit, control({}));
    await good(unit, cdb.write10(0, 1), new Uint8Array(512));
  });

  it('with D_SENSE gets sense data in descriptor format', async () => {
    const unit = readyUnit(new TestDisk());
    await change(unit, control({ dSense: true }));
    const { sense } = await run(unit, [0xff, 0, 0, 0, 0, 0]);
    expect(sense[0]).to.equal(0x72);
    expect(decodeSense(sense)).to.deep.include({ key: 5, code: 0x2000 });
    await change(unit, control({}));
    expect((await run(unit, [0xff, 0, 0, 0, 0, 0])).sense[0]).to.equal(0x70);
  });

  it('of an empty list, and of a header alone, changes nothing', async () => {
    const unit = readyUnit(new TestDisk());
    const before = await current(unit, 0x3f);
    await good(unit, select6(0));
    await good(unit, select6(4), new Uint8Array(4));
    await good(unit, select10(8), new Uint8Array(8));
    expect(await current(unit, 0x3f)).to.equal(before);
  });

  it('refuses vendor-specific pages and saving', async () => {
    const unit = readyUnit(new TestDisk());
    expect((await refused('5/24/00', unit, select6(0, 0x00))).field).to.include({ byte: 1, bit: 4 });
    expect((await refused('5/24/00', unit, select10(0, 0x11))).field).to.include({ byte: 1, bit: 0 });
  });

  it('refuses Data-Out shorter than the CDB says', async () => {
    await refused('5/0e/03', readyUnit(new TestDisk()), select6(24), new Uint8Array(23));
  });

  const descriptor = '0000080000000200';
  const truncated: [string, string][] = [
    ['in the header', '0000'],
    ['in the block descriptor', `00000008${descriptor.slice(0, 14)}`],
    ['in the header of a page', '0000000008'],
    ['in a page', `00000000${caching(false).slice(0, -2)}`],
    ['in a second page', `00000000${caching(false)}${control({}).slice(0, -2)}`],
  ];
  for (const [where, hex] of truncated) {
    it(`refuses a list that ends ${where}, and changes nothing`, async () => {
      const unit = readyUnit(new TestDisk());
      const before = await current(unit, 0x3f);
      const list = bytes(hex);
      await refused('5/1a/00', unit, select6(list.length), list);
      expect(await current(unit, 0x3f)).to.equal(before);
    });
  }

  const wrong: [string, string, number][] = [
    ['a bit that cannot be changed', `00000000 0812 05 ${'00'.repeat(17)}`, 6],
    ['a page it does not have', '00000000 030a 00000000000000000000', 4],
    ['a subpage it does not have', '00000000 4a02 0000', 4],
    ['subpage 0 in the format of subpages', '00000000 4a00 0000', 4],
    ['a subpage of another length', '00000000 4a01 0004 00000000', 6],
    ['a reserved QERR', `00000000 0a0a 02 14 00 ${'00'.repeat(7)}`, 7],
    ['a page of another length', '00000000 0a08 0000000000000000', 5],
    ['a medium type', '00010000', 1],
    ['a block descriptor of another length', '00000004 00000000', 3],
    ['another capacity', `00000008 00000801 00000200`, 4],
    ['another block length', `00000008 00000800 00001000`, 9],
    ['a wrong second page', `00000000 ${caching(false)} 0a0a 03 10 00 ${'00'.repeat(7)}`, 26],
  ];
  for (const [what, hex, byte] of wrong) {
    it(`refuses ${what}, points at it, and changes nothing`, async () => {
      const unit = readyUnit(new TestDisk(2048));
      const before = await current(unit, 0x3f);
      const list = bytes(hex);
      const { field } = await refused('5/26/00', unit, select6(list.length), list);
      expect(field).to.deep.include({ inCdb: false, byte });
      expect(await current(unit, 0x3f)).to.equal(before);
    });
  }

  it('refuses another block length in a long block descriptor', async () => {
    const list = bytes(`00000000 01000010 0000000000000800 00000000 00001000`);
    const { field } = await refused('5/26/00', readyUnit(new TestDisk()), select10(list.length), list);
    expect(field).to.deep.include({ byte: 20 });
  });

  it('takes 0 and all ones as the capacity it has', async () => {
    const unit = readyUnit(new TestDisk(2048));
    for (const blocks of ['00000000', 'ffffffff']) {
      await good(unit, select6(12), bytes(`00000008 ${blocks} 00000200`));
    }
    await good(unit, select10(24), bytes(`00000000 01000010 ${'ff'.repeat(8)} 00000000 00000200`));
  });

  it('refuses a write cache on a disk that has none', async () => {
    const unit = readyUnit(diskWith(new TestDisk(), { writeCache: false }));
    const list = bytes(`00000000${caching(true)}`);
    await refused('5/26/00', unit, select6(list.length), list);
  });

  it('is told to the other initiators, and only where something changed', async () => {
    const unit = readyUnit(new TestDisk());
    const other = { name: 'iqn.test:other' };
    unit.attentions.take(other);
    await change(unit, caching(true));
    await good(unit, cdb.testUnitReady(), undefined, { nexus: other });
    await change(unit, caching(false));
    await good(unit, cdb.testUnitReady());
    await refused('6/2a/01', unit, cdb.testUnitReady(), undefined, { nexus: other });
    await good(unit, cdb.testUnitReady(), undefined, { nexus: other });
  });
});
