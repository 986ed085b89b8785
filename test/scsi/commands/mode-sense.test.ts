import { expect } from 'chai';
import { diskWith, TestDisk } from '../support/disk.js';
import { good, readyUnit, refused } from '../support/unit.js';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

interface Asked {
  page?: number;
  control?: number;
  subpage?: number;
  dbd?: boolean;
  llbaa?: boolean;
  length?: number;
}

function modeSense6({ page = 0x3f, control = 0, subpage = 0, dbd = false, length = 255 }: Asked): number[] {
  return [0x1a, dbd ? 8 : 0, (control << 6) | page, subpage, length, 0];
}

function modeSense10(asked: Asked): number[] {
  const { page = 0x3f, control = 0, subpage = 0, dbd = false, llbaa = false, length = 4096 } = asked;
  const flags = (dbd ? 8 : 0) | (llbaa ? 0x10 : 0);
  return [0x5a, flags, (control << 6) | page, subpage, 0, 0, 0, length >> 8, length & 0xff, 0];
}

const recovery = `010ac000${'00'.repeat(8)}`;
const exceptions = `1c0a${'00'.repeat(10)}`;
const reconnect = `020e${'00'.repeat(14)}`;
const power = `1a26${'00'.repeat(38)}`;
const extension = `4a01001c${'00'.repeat(28)}`;
const caching = (wce: string): string => `0812${wce}${'00'.repeat(17)}`;
const control = (dSense: string, swp: string): string => `0a0a${dSense}10${swp}${'00'.repeat(7)}`;

describe('MODE SENSE', () => {
  it('of 6 bytes gives header, block descriptor and all pages in ascending order', async () => {
    const data = await good(readyUnit(new TestDisk(2048)), modeSense6({}));
    const descriptor = '0000080000000200';
    expect(hex(data)).to.equal(
      `${(data.length - 1).toString(16)}001008${descriptor}${recovery}${reconnect}${caching('04')}${control('02', '00')}${power}${exceptions}`,
    );
  });

  it('of 10 bytes gives the same with its own header', async () => {
    const unit = readyUnit(new TestDisk(2048));
    const six = await good(unit, modeSense6({}));
    const ten = await good(unit, modeSense10({}));
    expect(hex(ten.subarray(0, 8))).to.equal(`00${(ten.length - 2).toString(16)}001000000008`);
    expect(hex(ten.subarray(8))).to.equal(hex(six.subarray(4)));
  });

  it('leaves out the block descriptor with DBD', async () => {
    const unit = readyUnit(new TestDisk());
    expect(hex(await good(unit, modeSense6({ page: 0x1c, dbd: true })))).to.equal(`0f001000${exceptions}`);
    expect(hex(await good(unit, modeSense10({ page: 0x1c, dbd: true })))).to.equal(
      `0012001000000000${exceptions}`,
    );
  });

  it('gives a long block descriptor with LLBAA', async () => {
    const unit = readyUnit(diskWith(new TestDisk(), { size: 2 ** 33 * 512 }));
    const long = await good(unit, modeSense10({ page: 0x1c, llbaa: true }));
    expect(hex(long.subarray(4, 24))).to.equal(`0100001000000002000000000000000000000200`);
    const short = await good(unit, modeSense10({ page: 0x1c }));
    expect(hex(short.subarray(4, 16)), 'all ones where the capacity is too large').to.equal(
      '00000008ffffffff00000200',
    );
    const none = await good(unit, modeSense10({ page: 0x1c, llbaa: true, dbd: true }));
    expect(none[4], 'no LONGLBA without a descriptor').to.equal(0);
  });

  for (const [page, content] of [
    [0x01, recovery],
    [0x02, reconnect],
    [0x08, caching('04')],
    [0x1a, power],
    [0x1c, exceptions],
  ] as const) {
    it(`gives page ${page.toString(16)}h alone, current and default, by subpage 0 and FFh`, async () => {
      const unit = readyUnit(new TestDisk());
      for (const pageControl of [0, 2]) {
        for (const subpage of [0, 0xff]) {
          const data = await good(unit, modeSense6({ page, control: pageControl, subpage, dbd: true }));
          expect(hex(data.subarray(4))).to.equal(content);
        }
      }
    });
  }

  it('gives subpages where they are asked for: one, those of a page, or all', async () => {
    const unit = readyUnit(new TestDisk());
    const pages = async (asked: Asked) =>
      hex((await good(unit, modeSense6({ ...asked, dbd: true }))).subarray(4));
    expect(await pages({ page: 0x0a })).to.equal(control('02', '00'));
    expect(await pages({ page: 0x0a, subpage: 1 })).to.equal(extension);
    expect(await pages({ page: 0x0a, subpage: 0xff })).to.equal(control('02', '00') + extension);
    expect(await pages({ subpage: 0xff })).to.equal(
      recovery + reconnect + caching('04') + control('02', '00') + extension + power + exceptions,
    );
  });

  it('tells what may be changed: WCE, D_SENSE, QERR, SWP and TAS', async () => {
    const data = await good(readyUnit(new TestDisk()), modeSense6({ control: 1, dbd: true }));
    const nothing = (code: string): string => `${code}0a${'00'.repeat(10)}`;
    expect(hex(data.subarray(4))).to.equal(
      `${nothing('01')}${reconnect}${caching('04')}0a0a04060840${'00'.repeat(6)}${power}${nothing('1c')}`,
    );
  });

  it('tells a disk without a write cache: no WCE, none to be had', async () => {
    for (const properties of [{ writeCache: false }, { flush: undefined }]) {
      const unit = readyUnit(diskWith(new TestDisk(), properties));
      for (const pageControl of [0, 1, 2]) {
        const data = await good(unit, modeSense6({ page: 8, control: pageControl, dbd: true }));
        expect(data[6]).to.equal(0);
      }
    }
  });

  it('tells a write-protected disk in both headers', async () => {
    const unit = readyUnit(diskWith(new TestDisk(), { readOnly: true }));
    expect((await good(unit, modeSense6({})))[2]).to.equal(0x90);
    expect((await good(unit, modeSense10({})))[3]).to.equal(0x90);
  });

  it('has no saved values', async () => {
    const unit = readyUnit(new TestDisk());
    await refused('5/39/00', unit, modeSense6({ control: 3 }));
    await refused('5/39/00', unit, modeSense10({ control: 3, page: 8 }));
  });

  it('refuses pages and subpages it does not have', async () => {
    const unit = readyUnit(new TestDisk());
    expect((await refused('5/24/00', unit, modeSense6({ page: 0x03 }))).field).to.include({ byte: 2 });
    expect((await refused('5/24/00', unit, modeSense10({ page: 0x0a, subpage: 2 }))).field).to.include({
      byte: 3,
    });
    expect((await refused('5/24/00', unit, modeSense10({ page: 0x3f, subpage: 1 }))).field).to.include({
      byte: 3,
    });
  });

  it('is cut to the allocation length, with the whole length in the header', async () => {
    const unit = readyUnit(new TestDisk());
    const whole = await good(unit, modeSense6({}));
    expect(hex(await good(unit, modeSense6({ length: 4 })))).to.equal(hex(whole.subarray(0, 4)));
    expect(await good(unit, modeSense10({ length: 0 }))).to.have.length(0);
  });
});
