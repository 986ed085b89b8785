import { expect } from 'chai';
import * as cdb from '../../../src/scsi/cdb.js';
import { zeroToken } from '../../../src/scsi/copy-token.js';
import { decodeSense } from '../../../src/scsi/sense-data.js';
import { populate, tokenInformation, tokenOf, unitsOf, writeToken } from '../support/copy.js';
import { diskWith, pattern, TestDisk, ThinDisk } from '../support/disk.js';
import { Deferred, good, refused, run, senseOf } from '../support/unit.js';

function setUp(...disks: TestDisk[]) {
  disks.forEach((disk, index) => (disk.bytes = pattern(disk.size, index + 1)));
  return { units: unitsOf(disks), disks };
}

const inside = [{ lba: 40, blocks: 4 }];

describe('WRITE USING TOKEN', () => {
  it('writes what the token stands for into another unit, range by range', async () => {
    const { units, disks } = setUp(new TestDisk(64), new TestDisk(64));
    const token = await tokenOf(units[0], { lba: 10, blocks: 2 }, { lba: 4, blocks: 3 });
    const ranges = [
      { lba: 1, blocks: 1 },
      { lba: 9, blocks: 0 },
      { lba: 20, blocks: 4 },
    ];
    expect((await writeToken(units[1], 2, { token, ranges })).status).to.equal(0);
    const data = [...disks[0].bytes.subarray(5120, 6144), ...disks[0].bytes.subarray(2048, 3584)];
    expect([...disks[1].bytes.subarray(512, 1024)]).to.deep.equal(data.slice(0, 512));
    expect([...disks[1].bytes.subarray(10_240, 12_288)]).to.deep.equal(data.slice(512));
    const information = await tokenInformation(units[1], 2);
    expect(information).to.include({ serviceAction: 0x11, status: 0x01, blocks: 5, token: undefined });
  });

  it('begins at an offset, in blocks of the unit written to, and ends with the token', async () => {
    const { units, disks } = setUp(new TestDisk(64), new TestDisk(16, 4096));
    const token = await tokenOf(units[0], { lba: 3, blocks: 19 });
    const ranges = [{ lba: 5, blocks: 10 }];
    const after = disks[1].bytes.slice(7 * 4096);
    expect((await writeToken(units[1], 2, { token, ranges, offset: 1 })).status).to.equal(0);
    const written = disks[1].bytes.slice(5 * 4096, 7 * 4096);
    const expected = new Uint8Array(8192);
    expected.set(disks[0].bytes.subarray(11 * 512, 22 * 512));
    expect(written).to.deep.equal(expected);
    expect(disks[1].bytes.slice(7 * 4096)).to.deep.equal(after);
    expect(await tokenInformation(units[1], 2)).to.include({ status: 0x03, blocks: 2 });
  });

  it('writes in the background with IMMED', async () => {
    const [started, go] = [new Deferred(), new Deferred()];
    const slow = diskWith(new TestDisk(64), {
      async write() {
        started.resolve();
        await go.promise;
      },
    });
    const { units } = setUp(new TestDisk(64), slow);
    const token = await tokenOf(units[0], { lba: 0, blocks: 4 });
    expect((await writeToken(units[1], 2, { token, ranges: inside, immediate: true })).status).to.equal(0);
    await started.promise;
    expect(await tokenInformation(units[1], 2)).to.include({ status: 0x12, blocks: 0 });
    expect(senseOf(await writeToken(units[1], 2, { token, ranges: inside }))).to.equal('5/00/16');
    go.resolve();
    await units[1].close();
    await refused('5/24/00', units[1], cdb.receiveRodTokenInformation(2, 100));
  });

  it('tells how what it did in the background ended', async () => {
    const broken = diskWith(new TestDisk(64), {
      write() {
        throw Object.assign(new Error('broken'), { code: 'EIO' });
      },
    });
    const { units } = setUp(new TestDisk(64), broken);
    const token = await tokenOf(units[0], { lba: 0, blocks: 4 });
    await writeToken(units[1], 2, { token, ranges: inside, immediate: true });
    await units[1].copy.settled();
    const { status, completion, sense } = await tokenInformation(units[1], 2);
    expect([status, completion]).to.deep.equal([0x02, 0x02]);
    expect(decodeSense(sense)).to.include({ key: 3, code: 0x0c00 });
  });

  it('writes zeroes with the token that stands for them', async () => {
    const { units, disks } = setUp(new TestDisk(8192));
    const ranges = [{ lba: 10, blocks: 4000 }];
    expect((await writeToken(units[0], 1, { token: zeroToken(), ranges, offset: 99 })).status).to.equal(0);
    const expected = pattern(disks[0].size);
    expected.fill(0, 5120, 4010 * 512);
    expect(Buffer.compare(disks[0].bytes, expected)).to.equal(0);
  });

  it('writes zeroes with the verb of the disk, where it has one', async () => {
    const calls: unknown[] = [];
    const disk = diskWith(new ThinDisk(64), {
      writeZeroes: (offset: number, length: number, mayUnmap: boolean) =>
        void calls.push(offset, length, mayUnmap),
    });
    const { units } = setUp(disk);
    expect((await writeToken(units[0], 1, { token: zeroToken(), ranges: inside })).status).to.equal(0);
    expect(calls).to.deep.equal([20_480, 2048, false]);
  });

  it('uses a token up with DEL_TKN', async () => {
    const { units } = setUp(new TestDisk(64));
    const token = await tokenOf(units[0], { lba: 0, blocks: 4 });
    expect((await writeToken(units[0], 2, { token, ranges: inside, deleteToken: true })).status).to.equal(0);
    expect(senseOf(await writeToken(units[0], 2, { token, ranges: inside }))).to.equal('5/23/09');
  });

  it('takes no parameter list for no error', async () => {
    const { units } = setUp(new TestDisk(64));
    await good(units[0], cdb.writeUsingToken(1, 0));
  });

  describe('refuses', () => {
    async function refusal(change: (token: Uint8Array) => Partial<Parameters<typeof writeToken>[2]>) {
      const { units, disks } = setUp(new TestDisk(64));
      const token = await tokenOf(units[0], { lba: 0, blocks: 4 });
      const before = disks[0].bytes.slice();
      const response = await writeToken(units[0], 2, { token, ranges: inside, ...change(token) });
      expect(disks[0].bytes).to.deep.equal(before);
      return senseOf(response);
    }

    it('a token it did not make, in any byte', async () => {
      for (const at of [0, 9, 20, 60, 256, 511]) {
        expect(await refusal((token) => ({ token: token.with(at, token[at] ^ 1) }))).to.equal('5/23/04');
      }
      const [stranger] = unitsOf([new TestDisk()]);
      const token = await tokenOf(stranger, { lba: 0, blocks: 4 });
      expect(await refusal(() => ({ token }))).to.equal('5/23/04');
    });

    it('a token of another length', async () => {
      expect(await refusal((token) => ({ token: token.with(6, 0) }))).to.equal('5/23/0a');
      expect(await refusal(() => ({ token: zeroToken().with(7, 0) }))).to.equal('5/23/0a');
    });

    it('an offset past the end of the token', async () => {
      expect(await refusal(() => ({ offset: 4 }))).to.equal('5/26/00');
      expect(await refusal(() => ({ offset: Number.MAX_SAFE_INTEGER }))).to.equal('5/26/00');
    });

    it('ranges that are none, or not on the disk', async () => {
      expect(await refusal(() => ({ ranges: [] }))).to.equal('5/26/00');
      expect(await refusal(() => ({ ranges: [{ lba: 63, blocks: 2 }] }))).to.equal('5/21/00');
    });

    it('to write what it would read', async () => {
      expect(await refusal(() => ({ ranges: [{ lba: 3, blocks: 2 }] }))).to.equal('5/23/00');
    });

    it('a list that is too short', async () => {
      const { units } = setUp(new TestDisk(64));
      const list = cdb.writeUsingTokenParameters({ token: zeroToken(), ranges: inside });
      expect(senseOf(await run(units[0], cdb.writeUsingToken(1, 535), list))).to.equal('5/1a/00');
      const short = list.with(0, 0).with(1, 0x25);
      expect(senseOf(await run(units[0], cdb.writeUsingToken(1, list.length), short))).to.equal('5/26/00');
    });

    it('a read-only disk, and a source that is not ready', async () => {
      const { units } = setUp(
        new TestDisk(64),
        diskWith(new TestDisk(64), { readOnly: true }),
        new TestDisk(64),
      );
      const token = await tokenOf(units[0], { lba: 0, blocks: 4 });
      expect(senseOf(await writeToken(units[1], 1, { token, ranges: inside }))).to.equal('7/27/00');
      units[0].medium.power = 'stopped';
      expect(senseOf(await writeToken(units[2], 1, { token, ranges: inside }))).to.equal('2/04/02');
    });
  });

  it('cannot use a token after its inactivity time-out, which each use begins anew', async () => {
    let now = 1000;
    const [unit] = unitsOf([new TestDisk(64)], { now: () => now });
    await populate(unit, 1, { ranges: [{ lba: 0, blocks: 4 }], inactivityTimeout: 10 });
    const { token } = await tokenInformation(unit, 1);
    for (let use = 0; use < 3; use++) {
      now += 9_999;
      expect((await writeToken(unit, 2, { token: token!, ranges: inside })).status).to.equal(0);
    }
    now += 10_000;
    expect(senseOf(await writeToken(unit, 2, { token: token!, ranges: inside }))).to.equal('5/23/07');
  });
});
