import { expect } from 'chai';
import fc from 'fast-check';
import { flag, integer, size, text, type Option } from '../../src/handlers/options.js';
import { formatSize, parseSize } from '../../src/handlers/size-text.js';

function parsed<Output>(option: Option<Output>, value: unknown): Output {
  return option.parse(value);
}

function refusal(option: Option<unknown>, value: unknown): string {
  const result = option.safeParse(value);
  return result.success ? expect.fail(`took ${String(value)}`) : result.error.issues[0].message;
}

describe('parseSize', () => {
  it('reads bytes and powers of 1024, in any case, with or without B and iB', () => {
    expect(parseSize('4096')).to.equal(4096);
    expect(parseSize('512M')).to.equal(512 * 2 ** 20);
    expect(parseSize('10TiB')).to.equal(10 * 2 ** 40);
    expect(parseSize(' 64 kb ')).to.equal(65536);
    expect(parseSize('1.5G')).to.equal(1.5 * 2 ** 30);
    expect(parseSize('1p')).to.equal(2 ** 50);
  });

  it('refuses what is no whole number of bytes, and says what is accepted', () => {
    for (const wrong of ['', 'x', '-1', '1x', '1 2', '1e9', '0.3', 'M', '9007199254740993', '9P9', '1GiBs']) {
      expect(() => parseSize(wrong), wrong).to.throw(RangeError, `'${wrong}' is not a size`);
    }
  });

  it('reads back what formatSize wrote, where that is exact', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 1023 }), fc.integer({ min: 0, max: 4 }), (count, unit) => {
        const bytes = count * 1024 ** unit;
        expect(parseSize(formatSize(bytes))).to.equal(bytes);
      }),
    );
  });
});

describe('formatSize', () => {
  it('takes the largest unit that leaves a number of one or more', () => {
    expect(formatSize(0)).to.equal('0 B');
    expect(formatSize(1023)).to.equal('1023 B');
    expect(formatSize(1536)).to.equal('1.5 KiB');
    expect(formatSize(2 ** 40)).to.equal('1 TiB');
    expect(formatSize(2 ** 60)).to.equal('1024 PiB');
  });
});

describe('option types', () => {
  it('size takes text and bytes', () => {
    expect(parsed(size(), '1K')).to.equal(1024);
    expect(parsed(size(), 512)).to.equal(512);
    expect(refusal(size(), '1 potato')).to.contain('write bytes');
    expect(refusal(size(), -1)).to.match(/./);
  });

  it('flag takes every spelling of on and off, and nothing as on', () => {
    for (const on of ['', '1', 'true', 'yes', 'on', true]) expect(parsed(flag(), on)).to.equal(true);
    for (const off of ['0', 'false', 'no', 'off', false]) expect(parsed(flag(), off)).to.equal(false);
    expect(refusal(flag(), 'maybe')).to.contain("'maybe' is neither on");
  });

  it('integer takes whole numbers only', () => {
    expect(parsed(integer(), '-12')).to.equal(-12);
    expect(parsed(integer(), 3)).to.equal(3);
    for (const wrong of ['', '1.5', '0x10', '9007199254740993']) {
      expect(refusal(integer(), wrong)).to.contain('not a whole number');
    }
  });

  it('text is taken as it is', () => {
    expect(text().parse(' a b ')).to.equal(' a b ');
  });
});
