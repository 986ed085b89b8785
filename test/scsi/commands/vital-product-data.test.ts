import { expect } from 'chai';
import * as cdb from '../../../src/scsi/cdb.js';
import type { Disk } from '../../../src/scsi/disk.js';
import type { LogicalUnit } from '../../../src/scsi/logical-unit.js';
import { TargetPortGroups } from '../../../src/scsi/target-port-groups.js';
import { diskWith, TestDisk, ThinDisk } from '../support/disk.js';
import { good, readyUnit } from '../support/unit.js';

async function page(unit: LogicalUnit, code: number): Promise<Buffer> {
  const data = Buffer.from(await good(unit, cdb.inquiry(0xffff, code)));
  expect(data[0]).to.equal(0);
  expect(data[1]).to.equal(code);
  expect(data.readUInt16BE(2)).to.equal(data.length - 4);
  return data;
}

/** The designators of page 83h. */
async function designators(serial: string): Promise<{ codeSet: number; type: number; value: Buffer }[]> {
  const data = await page(readyUnit(new TestDisk(), { serial }), 0x83);
  const list = [];
  for (let at = 4; at < data.length; at += 4 + data[at + 3]) {
    const value = data.subarray(at + 4, at + 4 + data[at + 3]);
    // The association, bits 5 and 4: the logical unit.
    expect(data[at + 1] & 0x30).to.equal(0);
    list.push({ codeSet: data[at] & 0x0f, type: data[at + 1] & 0x0f, value });
  }
  return list;
}

describe('vital product data', () => {
  it('lists its pages in ascending order, and has each', async () => {
    const unit = readyUnit(new TestDisk());
    const list = [...(await page(unit, 0x00)).subarray(4)];
    expect(list).to.deep.equal([0x00, 0x80, 0x83, 0x86, 0x87, 0x8f, 0xb0, 0xb1, 0xb2]);
    for (const code of list) await page(unit, code);
  });

  it('gives the serial number, asked for at each INQUIRY', async () => {
    let serial = 'first';
    const unit = readyUnit(new TestDisk(), { serial: () => serial });
    expect((await page(unit, 0x80)).subarray(4).toString()).to.equal('first');
    serial = 'second';
    expect((await page(unit, 0x80)).subarray(4).toString()).to.equal('second');
  });

  it('names the unit as LIO does: NAA 6h, 00-14-05h, the digits of the serial number', async () => {
    const [naa] = await designators('6d3c5a1e-9f2b-4c7d-8e01-23456789abcd');
    expect(naa).to.include({ codeSet: 1, type: 3 });
    expect(naa.value.toString('hex')).to.equal('60014056d3c5a1e9f2b4c7d8e0123456');
  });

  it('names the unit by vendor, product and serial number as well', async () => {
    const [, t10] = await designators('abc');
    expect(t10).to.include({ codeSet: 2, type: 1 });
    expect(t10.value.toString()).to.equal('LUNETTE DISK:abc');
  });

  it('gives different names to serial numbers that are not hexadecimal', async () => {
    const names = await Promise.all(
      ['zz', 'zy', '', 'disk number one'].map(async (serial) => {
        const [{ value }] = await designators(serial);
        expect(value).to.have.length(16);
        expect(value.toString('hex').startsWith('6001405')).to.equal(true);
        return value.toString('hex');
      }),
    );
    expect(new Set(names).size).to.equal(names.length);
  });

  it('stays inside the page for a serial number without end', async () => {
    const unit = readyUnit(new TestDisk(), { serial: 'x'.repeat(100_000) });
    expect(await page(unit, 0x80)).to.have.length(4 + 254);
    expect((await page(unit, 0x83)).length).to.be.below(4 + 4 + 16 + 4 + 256);
  });

  it('gives the block limits of a plain disk', async () => {
    const data = await page(readyUnit(new TestDisk()), 0xb0);
    expect(data).to.have.length(64);
    expect(data[4]).to.equal(1); // WSNZ
    expect(data[5]).to.equal(255); // COMPARE AND WRITE
    expect(data.readUInt16BE(6)).to.equal(0); // granularity
    expect(data.readUInt32BE(8)).to.equal(16384); // 8 MiB
    expect(data.readUInt32BE(12)).to.equal(0); // optimal
    expect(data.readUInt32BE(20)).to.equal(0); // no UNMAP
    expect(data.readUInt32BE(24)).to.equal(0);
    expect(data.readUInt32BE(28)).to.equal(0);
    expect(data.readUInt32BE(32)).to.equal(0);
    expect(data.readBigUInt64BE(36)).to.equal(65535n); // as many as WRITE SAME(10) can ask for
    expect(data.subarray(44).every((byte) => byte === 0)).to.equal(true);
  });

  it('gives the block limits of a disk that unmaps and has preferences', async () => {
    const disk = diskWith(new ThinDisk(64, 4096), {
      minimumIoSize: 65536,
      optimalIoSize: 1 << 20,
      unmapGranularity: 1 << 21,
    });
    const data = await page(readyUnit(disk), 0xb0);
    expect(data.readUInt16BE(6)).to.equal(16);
    expect(data.readUInt32BE(8)).to.equal(2048);
    expect(data.readUInt32BE(12)).to.equal(256);
    expect(data.readUInt32BE(20)).to.equal(1 << 20); // 4 GiB
    expect(data.readUInt32BE(24)).to.equal(256);
    expect(data.readUInt32BE(28)).to.equal(512);
    expect(data.readUInt32BE(32)).to.equal(0x8000_0000); // UGAVALID
    expect(data.readBigUInt64BE(36)).to.equal(65535n); // 1 GiB
  });

  it('shows the limits that were configured', async () => {
    const limits = {
      maxTransferBlocks: 100,
      maxUnmapBlocks: 200,
      maxUnmapDescriptors: 3,
      maxWriteSameBlocks: 400,
    };
    const disk = diskWith(new ThinDisk(), { optimalIoSize: 1 << 20 });
    const data = await page(readyUnit(disk, limits), 0xb0);
    expect(data.readUInt32BE(8)).to.equal(100);
    expect(data.readUInt32BE(12), 'not more than a command may transfer').to.equal(100);
    expect(data.readUInt32BE(20)).to.equal(200);
    expect(data.readUInt32BE(24)).to.equal(3);
    expect(data.readBigUInt64BE(36)).to.equal(400n);
  });

  for (const [rotational, rate] of [
    [true, 0],
    [false, 1],
    [undefined, 1],
  ] as const) {
    it(`says medium rotation rate ${rate} where rotational is ${rotational}`, async () => {
      const data = await page(readyUnit(diskWith(new TestDisk(), { rotational })), 0xb1);
      expect(data).to.have.length(64);
      expect(data.readUInt16BE(4)).to.equal(rate);
      expect(data.subarray(6).every((byte) => byte === 0)).to.equal(true);
    });
  }

  const provisioning: [string, Disk, string][] = [
    ['a disk that cannot unmap', new TestDisk(), '00000000'],
    ['a disk whose unmapped blocks are zero', new ThinDisk(), '00e40200'],
    [
      'a disk whose unmapped blocks hold anything',
      diskWith(new ThinDisk(), { unmapReadsZeroes: false }),
      '00e00200',
    ],
  ];
  for (const [which, disk, expected] of provisioning) {
    it(`describes the provisioning of ${which}`, async () => {
      expect((await page(readyUnit(disk), 0xb2)).subarray(4).toString('hex')).to.equal(expected);
    });
  }

  it('tells of the task attributes and the cache (86h), of mode pages that are shared (87h)', async () => {
    const cached = await page(readyUnit(new TestDisk()), 0x86);
    expect(cached).to.have.length(64);
    expect([...cached.subarray(4, 8)]).to.deep.equal([0, 0x07, 0x01, 0]);
    expect(cached[13]).to.equal(96);
    expect((await page(readyUnit(diskWith(new TestDisk(), { flush: undefined })), 0x86))[6]).to.equal(0);
    expect([...(await page(readyUnit(new TestDisk()), 0x87)).subarray(4)]).to.deep.equal([0x3f, 0xff, 0, 0]);
  });

  describe('of a unit that is reached through a port', () => {
    const port = { relativeId: 2, group: 3, name: 'iqn.test:target,t,0x0002' };
    const through = async (unit: LogicalUnit, code: number, nexus = { name: 'one', port }): Promise<Buffer> =>
      Buffer.from(await good(unit, cdb.inquiry(0xffff, code), undefined, { nexus }));

    it('names port, group and target besides (83h)', async () => {
      const unit = readyUnit(new TestDisk());
      const own = await page(unit, 0x83);
      const all = await through(unit, 0x83);
      expect(all.subarray(4, own.length).toString('hex')).to.equal(own.subarray(4).toString('hex'));
      const text = (value: string, length: number): string =>
        Buffer.from(value.padEnd(length, '\0')).toString('hex');
      expect(all.subarray(own.length).toString('hex')).to.equal(
        '51940004' +
          '00000002' +
          '51950004' +
          '00000003' +
          `5398001c${text(port.name, 28)}` +
          `53a80010${text('iqn.test:target', 16)}`,
      );
    });

    it('names a port of another protocol without saying which', async () => {
      const unit = readyUnit(new TestDisk());
      const own = await page(unit, 0x83);
      const nexus = { name: 'one', port: { ...port, name: 'somewhere' } };
      const all = await through(unit, 0x83, nexus);
      expect(all.subarray(own.length).toString('hex')).to.equal(
        '01140004' +
          '00000002' +
          '01150004' +
          '00000003' +
          '0318000c' +
          Buffer.from('somewhere\0\0\0').toString('hex'),
      );
    });

    it('lists the ports it knows (88h)', async () => {
      const name = `5398001c${Buffer.from(port.name.padEnd(28, '\0')).toString('hex')}`;
      const described = (number: number): string =>
        `0000${number.toString(16).padStart(4, '0')}00000000000000${'20'}${name}`;
      const alone = await through(readyUnit(new TestDisk()), 0x88);
      expect(alone.subarray(4).toString('hex')).to.equal(described(2));
      const portGroups = new TargetPortGroups([port, { ...port, relativeId: 1 }]);
      const grouped = readyUnit(new TestDisk(), { portGroups });
      expect((await page(grouped, 0x88)).subarray(4).toString('hex')).to.equal(described(1) + described(2));
      expect([...(await through(grouped, 0x00)).subarray(4)]).to.include(0x88);
    });
  });

  it('tells the threshold exponent of a thin disk that reports its usage (B2h)', async () => {
    const disk = diskWith(new ThinDisk(), { usage: () => ({ used: 0, available: 0 }) });
    expect((await page(readyUnit(disk), 0xb2)).subarray(4).toString('hex')).to.equal('0be40200');
  });
});
