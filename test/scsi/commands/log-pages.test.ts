import { expect } from 'chai';
import * as cdb from '../../../src/scsi/cdb.js';
import type { LogicalUnit } from '../../../src/scsi/logical-unit.js';
import { diskWith, TestDisk, ThinDisk } from '../support/disk.js';
import { good, readyUnit, refused, run } from '../support/unit.js';

const MIB = 1024 * 1024;
const other = { name: 'iqn.test:other' };

interface Asked {
  page?: number;
  subpage?: number;
  control?: number;
  pointer?: number;
  length?: number;
  flags?: number;
}

function logSense({ page = 0, subpage = 0, control = 1, pointer = 0, length = 4096, flags = 0 }: Asked) {
  return [0x4d, flags, (control << 6) | page, subpage, 0, 0, pointer, length >> 8, length & 0xff, 0];
}

function logSelect(flags: number, page = 0, control = 1, length = 0, subpage = 0): number[] {
  return [0x4c, flags, (control << 6) | page, subpage, 0, 0, 0, 0, length, 0];
}

/** The values of a page by parameter code. */
async function parameters(unit: LogicalUnit, asked: Asked): Promise<Map<number, Buffer>> {
  const data = Buffer.from(await good(unit, logSense(asked)));
  expect(data[0]).to.equal(0x80 | asked.page!);
  expect(data.readUInt16BE(2)).to.equal(data.length - 4);
  const values = new Map<number, Buffer>();
  for (let at = 4; at < data.length; at += 4 + data[at + 3]) {
    values.set(data.readUInt16BE(at), data.subarray(at + 4, at + 4 + data[at + 3]));
  }
  return values;
}

const thin = (usage = () => ({ used: 3 * MIB, available: 5 * MIB })) => diskWith(new ThinDisk(), { usage });

/** A unit that has read 3 blocks in 2 commands, written 4, verified 2, and failed to read once and to write twice. */
async function used(): Promise<LogicalUnit> {
  const disk = new TestDisk();
  const unit = readyUnit(disk);
  await good(unit, cdb.read10(0, 1), undefined, { dataInLength: 512 });
  await good(unit, cdb.read16(0, 2), undefined, { dataInLength: 1024 });
  await good(unit, cdb.write10(0, 4), new Uint8Array(2048));
  await good(unit, cdb.verify10(0, 2, 1), new Uint8Array(1024));
  const broken = () => Promise.reject(Object.assign(new Error('broken'), { code: 'EIO' }));
  disk.read = broken;
  disk.write = broken;
  await run(unit, cdb.read10(0, 1));
  await run(unit, cdb.write10(0, 1), new Uint8Array(512));
  await run(unit, cdb.write10(0, 1), new Uint8Array(512));
  disk.read = () => {
    throw new Error('a fault of the handler');
  };
  await run(unit, cdb.read10(0, 1));
  return unit;
}

describe('LOG SENSE', () => {
  it('lists its pages, and has each', async () => {
    const unit = readyUnit(thin());
    const list = Buffer.from(await good(unit, logSense({})));
    expect(list.toString('hex')).to.equal('000000080002030506' + '0c0e19');
    for (const page of list.subarray(5)) expect(await parameters(unit, { page })).not.to.be.empty;
    const pairs = Buffer.from(await good(unit, logSense({ subpage: 0xff })));
    expect(pairs.toString('hex')).to.equal(
      '40ff0012' + '0000' + '00ff' + '0200030005000600' + '0c000e001900',
    );
  });

  it('counts what was read, written and verified, and what failed', async () => {
    const unit = await used();
    const totals = async (page: number) => {
      const values = await parameters(unit, { page });
      return [values.get(5)!.readBigUInt64BE(), values.get(6)!.readBigUInt64BE()];
    };
    expect(await totals(0x02)).to.deep.equal([2048n, 2n]);
    expect(await totals(0x03)).to.deep.equal([1536n, 1n]);
    expect(await totals(0x05)).to.deep.equal([1024n, 0n]);
    expect((await parameters(unit, { page: 0x06 })).get(0)!.readBigUInt64BE()).to.equal(1n);
    const general = (await parameters(unit, { page: 0x19 })).get(1)!;
    expect([0, 8, 16, 24].map((at) => general.readBigUInt64BE(at))).to.deep.equal([2n, 1n, 4n, 3n]);
  });

  it('tells how much storage is used and left, in sets of 1 MiB', async () => {
    const values = await parameters(readyUnit(thin()), { page: 0x0c });
    expect(values.get(1)!.readUInt32BE()).to.equal(5);
    expect(values.get(2)!.readUInt32BE()).to.equal(3);
    await refused('5/24/00', readyUnit(new ThinDisk()), logSense({ page: 0x0c }));
  });

  it('counts starts and loads', async () => {
    const unit = readyUnit(new TestDisk(), { removable: true });
    unit.medium.power = 'stopped';
    for (const flags of [1, 2, 3, 2, 3]) await good(unit, [0x1b, 0, 0, 0, flags, 0]);
    const values = await parameters(unit, { page: 0x0e });
    expect(values.get(4)!.readUInt32BE()).to.equal(1);
    expect(values.get(6)!.readUInt32BE()).to.equal(2);
    expect(values.get(1)!.toString()).to.equal('      ');
  });

  it('begins at the parameter pointer, and is cut to the allocation length', async () => {
    const unit = await used();
    expect([...(await parameters(unit, { page: 3, pointer: 4 })).keys()]).to.deep.equal([5, 6]);
    expect(await good(unit, logSense({ page: 3, length: 6 }))).to.have.length(6);
    expect((await refused('5/24/00', unit, logSense({ page: 3, pointer: 7 }))).field).to.include({ byte: 5 });
    expect((await refused('5/24/00', unit, logSense({ pointer: 1 }))).field).to.include({ byte: 5 });
  });

  it('gives default values, and neither thresholds nor saved parameters', async () => {
    const unit = await used();
    for (const value of (await parameters(unit, { page: 3, control: 3 })).values()) {
      expect(value.every((byte) => byte === 0)).to.equal(true);
    }
    for (const control of [0, 2]) {
      expect((await refused('5/24/00', unit, logSense({ page: 3, control }))).field).to.include({ byte: 2 });
    }
    expect((await refused('5/24/00', unit, logSense({ flags: 1 }))).field).to.include({ byte: 1, bit: 0 });
  });

  it('refuses pages and subpages it does not have', async () => {
    const unit = readyUnit(new TestDisk());
    expect((await refused('5/24/00', unit, logSense({ page: 0x3f }))).field).to.include({ byte: 2 });
    expect((await refused('5/24/00', unit, logSense({ page: 3, subpage: 1 }))).field).to.include({ byte: 3 });
    expect((await refused('5/24/00', unit, logSense({ subpage: 1 }))).field).to.include({ byte: 3 });
  });
});

describe('LOG SELECT', () => {
  for (const [how, command] of [
    ['PCR', logSelect(0x02)],
    ['the default values', logSelect(0, 0, 3)],
  ] as const) {
    it(`sets all counters to zero by ${how}, and tells the others`, async () => {
      const unit = await used();
      unit.attentions.take(other);
      await good(unit, command);
      for (const page of [2, 3, 5, 6, 0x19]) {
        for (const value of (await parameters(unit, { page })).values()) {
          expect(value.every((byte) => byte === 0)).to.equal(true);
        }
      }
      await refused('6/2a/02', unit, cdb.testUnitReady(), undefined, { nexus: other });
    });
  }

  it('sets those of one page to zero', async () => {
    const unit = await used();
    await good(unit, logSelect(0x02, 0x02));
    expect((await parameters(unit, { page: 2 })).get(5)!.readBigUInt64BE()).to.equal(0n);
    expect((await parameters(unit, { page: 3 })).get(5)!.readBigUInt64BE()).to.equal(1536n);
  });

  it('changes nothing without PCR and without a list', async () => {
    const unit = await used();
    unit.attentions.take(other);
    await good(unit, logSelect(0));
    expect((await parameters(unit, { page: 3 })).get(5)!.readBigUInt64BE()).to.equal(1536n);
    await good(unit, cdb.testUnitReady(), undefined, { nexus: other });
  });

  it('refuses parameter lists, saving, and pages it does not have', async () => {
    const unit = readyUnit(new TestDisk());
    expect((await refused('5/24/00', unit, logSelect(0x01))).field).to.include({ byte: 1, bit: 0 });
    expect((await refused('5/24/00', unit, logSelect(0x02, 0, 1, 4), new Uint8Array(4))).field).to.include({
      byte: 1,
      bit: 1,
    });
    await refused('5/26/00', unit, logSelect(0, 0, 1, 4), new Uint8Array(4));
    await refused('5/24/00', unit, logSelect(0x02, 0x3f));
    await refused('5/24/00', unit, logSelect(0x02, 0x02, 1, 0, 1));
  });
});

/** MODE SELECT(10) of the logical block provisioning page. */
function thresholds(available: number | undefined, used: number | undefined, single = false): Uint8Array {
  const list = Buffer.alloc(8 + 32);
  list.set([0x5c, 0x02, 0, 0x1c, single ? 1 : 0], 8);
  list.set([available === undefined ? 0 : 0x80, 0x01], 24);
  list.writeUInt32BE(available ?? 0, 28);
  list.set([used === undefined ? 0x01 : 0x81, 0x02], 32);
  list.writeUInt32BE(used ?? 0, 36);
  return list;
}

const modeSelect = [0x55, 0x10, 0, 0, 0, 0, 0, 0, 40, 0];
const write = (unit: LogicalUnit) => good(unit, cdb.write10(0, 1), new Uint8Array(512));

describe('thin provisioning thresholds', () => {
  function setUp() {
    const usage = { used: 0, available: 100 * MIB };
    const unit = readyUnit(thin(() => usage));
    unit.attentions.take(other);
    return { usage, unit };
  }

  it('are told once each time they are reached, when something is written', async () => {
    const { usage, unit } = setUp();
    await good(unit, modeSelect, thresholds(10, undefined));
    await refused('6/2a/01', unit, cdb.testUnitReady(), undefined, { nexus: other });
    await write(unit);
    usage.available = 10.9 * MIB;
    await write(unit);
    await refused('6/38/07', unit, cdb.testUnitReady(), undefined, { nexus: other });
    await refused('6/38/07', unit, cdb.testUnitReady());
    await write(unit);
    await good(unit, cdb.testUnitReady());
    usage.available = 20 * MIB;
    await write(unit);
    usage.available = 0;
    await write(unit);
    await refused('6/38/07', unit, cdb.testUnitReady());
  });

  it('may be about storage in use, and be told to who wrote only', async () => {
    const { usage, unit } = setUp();
    await good(unit, modeSelect, thresholds(undefined, 7, true));
    unit.attentions.take(other);
    usage.used = 6.5 * MIB;
    await write(unit);
    await refused('6/38/07', unit, cdb.testUnitReady());
    await good(unit, cdb.testUnitReady(), undefined, { nexus: other });
  });

  it('do nothing where LBPERE is off, and no harm where the usage cannot be had', async () => {
    const { unit } = setUp();
    await good(unit, modeSelect, thresholds(1000, undefined));
    const recovery = [0, 0, 0, 0, 0x01, 0x0a, 0xc0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    await good(unit, [0x15, 0x10, 0, 0, 16, 0], Uint8Array.from(recovery));
    await write(unit);
    await good(unit, cdb.testUnitReady());

    const log: string[] = [];
    const usage = () => {
      throw new Error('no idea');
    };
    const failing = readyUnit(thin(usage), { log: (message) => void log.push(message) });
    await good(failing, modeSelect, thresholds(1000, undefined));
    await write(failing);
    expect(log.join()).to.contain('no idea');
  });

  it('are in sets that leave room for disks of any size', async () => {
    const disk = diskWith(thin(), { size: 2 ** 53 - 2 ** 13 });
    expect(readyUnit(disk).thresholds!.exponent).to.equal(13);
    expect(readyUnit(thin()).thresholds!.exponent).to.equal(11);
  });
});
