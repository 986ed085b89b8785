import { expect } from 'chai';
import * as cdb from '../../../src/scsi/cdb.js';
import { tokenLimits } from '../../../src/scsi/copy-limits.js';
import { designatorsOf } from '../../../src/scsi/copy-manager.js';
import { populate, tokenInformation, tokenOf, unitsOf } from '../support/copy.js';
import { diskWith, TestDisk } from '../support/disk.js';
import { Deferred, good, run, senseOf } from '../support/unit.js';

const ranges = [{ lba: 2, blocks: 3 }];

describe('POPULATE TOKEN', () => {
  it('makes a token that says what it stands for', async () => {
    const [unit] = unitsOf([new TestDisk(2048, 4096)]);
    const token = await tokenOf(unit, { lba: 10, blocks: 20 }, { lba: 0, blocks: 5 });
    const view = new DataView(token.buffer, token.byteOffset);
    expect(view.getUint32(0)).to.equal(0x0080_0001);
    expect(view.getUint16(6)).to.equal(0x01f8);
    expect(view.getBigUint64(56)).to.equal(BigInt(25 * 4096));
    const [{ value }] = designatorsOf(unit);
    expect([...token.subarray(16, 24)]).to.deep.equal([0xe4, 0, 0, 0, 1, 3, 0, value.length]);
    expect(token.subarray(24, 24 + value.length)).to.deep.equal(value);
    expect(token.subarray(45, 48)).to.deep.equal(Uint8Array.of(0, 0x10, 0));
    const another = await tokenOf(unit, { lba: 10, blocks: 20 }, { lba: 0, blocks: 5 });
    expect(another).not.to.deep.equal(token);
  });

  it('cannot be guessed: it holds random bytes', async () => {
    const random = (bytes: Uint8Array): Uint8Array => bytes.fill(0x5a);
    const [unit] = unitsOf([new TestDisk()], { random });
    const token = await tokenOf(unit, { lba: 0, blocks: 1 });
    expect(token.filter((byte) => byte === 0x5a)).to.have.length.of.at.least(16);
  });

  it('answers at once with IMMED as well', async () => {
    const [unit] = unitsOf([new TestDisk()]);
    expect((await populate(unit, 4, { ranges, immediate: true })).status).to.equal(0);
    const { status, blocks, token } = await tokenInformation(unit, 4);
    expect([status, blocks]).to.deep.equal([0x01, 3]);
    expect(token).to.have.length(512);
  });

  it('takes no parameter list for no error', async () => {
    const [unit] = unitsOf([new TestDisk()]);
    await good(unit, cdb.populateToken(1, 0));
    expect((await run(unit, cdb.receiveRodTokenInformation(1, 100))).status).to.equal(2);
  });

  it('waits for the writes that are going on', async () => {
    const [started, go] = [new Deferred(), new Deferred()];
    const order: string[] = [];
    const slow = diskWith(new TestDisk(), {
      async write() {
        started.resolve();
        await go.promise;
        order.push('written');
      },
    });
    const [unit] = unitsOf([slow]);
    const written = good(unit, cdb.write16(3, 1), new Uint8Array(512));
    await started.promise;
    const populated = populate(unit, 1, { ranges }).then(({ status }) => {
      order.push('populated');
      expect(status).to.equal(0);
    });
    go.resolve();
    await Promise.all([written, populated]);
    expect(order).to.deep.equal(['written', 'populated']);
  });

  it('accepts the ROD types it can make', async () => {
    const [unit] = unitsOf([new TestDisk()]);
    for (const rodType of [0x0080_0000, 0x0080_0001, 0x0080_ffff]) {
      expect((await populate(unit, 1, { ranges, rodType })).status).to.equal(0);
    }
    for (const rodType of [0, 0x0001_0000, 0x0080_0002, 0xffff_0001]) {
      expect(senseOf(await populate(unit, 1, { ranges, rodType }))).to.equal('5/26/00');
    }
  });

  const many = Array.from({ length: tokenLimits.ranges + 1 }, (_, lba) => ({ lba, blocks: 1 }));
  const refusals: [string, Parameters<typeof populate>[2], string][] = [
    ['no range', { ranges: [] }, '5/26/00'],
    ['too many ranges', { ranges: many }, '5/26/08'],
    ['a range past the end', { ranges: [{ lba: 2047, blocks: 2 }] }, '5/21/00'],
    [
      'ranges that overlap',
      {
        ranges: [
          { lba: 5, blocks: 2 },
          { lba: 0, blocks: 6 },
        ],
      },
      '5/26/00',
    ],
    ['too long a time-out', { ranges, inactivityTimeout: 3601 }, '5/26/00'],
  ];
  for (const [what, fields, sense] of refusals) {
    it(`refuses ${what}`, async () => {
      const [unit] = unitsOf([new TestDisk()]);
      expect(senseOf(await populate(unit, 1, fields))).to.equal(sense);
    });
  }

  it('refuses more than a token may stand for', async () => {
    const huge = { size: 2 ** 40, read: (): void => undefined };
    const [unit] = unitsOf([huge]);
    const blocks = tokenLimits.bytes / 512;
    expect((await populate(unit, 1, { ranges: [{ lba: 0, blocks }] })).status).to.equal(0);
    expect(senseOf(await populate(unit, 1, { ranges: [{ lba: 0, blocks: blocks + 1 }] }))).to.equal(
      '5/26/00',
    );
  });

  it('refuses a list that is too short, and ignores what is cut off', async () => {
    const [unit] = unitsOf([new TestDisk()]);
    const list = cdb.populateTokenParameters({ ranges: [...ranges, { lba: 100, blocks: 1 }] });
    expect(senseOf(await run(unit, cdb.populateToken(1, 15), list))).to.equal('5/1a/00');
    expect(senseOf(await run(unit, cdb.populateToken(1, list.length), list.with(1, 0x1d)))).to.equal(
      '5/26/00',
    );
    await good(unit, cdb.populateToken(1, list.length - 1), list);
    expect((await tokenInformation(unit, 1)).blocks).to.equal(3);
  });
});
