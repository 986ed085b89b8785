import { expect } from 'chai';
import fc from 'fast-check';
import {
  encodeBinary,
  encodeText,
  parseBinary,
  parseBoolean,
  parseNumber,
  parseText,
  TextError,
} from '../../src/iscsi/text-keys.js';

describe('text of login and text PDUs', () => {
  it('parses what it encodes', () => {
    const key = fc.stringMatching(/^[A-Z][A-Za-z0-9.+@-]{0,40}$/);
    const value = fc.stringMatching(/^[ -~]{0,80}$/);
    fc.assert(
      fc.property(fc.array(fc.tuple(key, value), { maxLength: 20 }), (pairs) => {
        expect(parseText(encodeText(pairs))).to.deep.equal(pairs);
      }),
    );
  });

  it('takes values with "=" in them, padding, and a last pair without its zero byte', () => {
    expect(parseText(Buffer.from('A=b=c\0\0\0D=\0E=f'))).to.deep.equal([
      ['A', 'b=c'],
      ['D', ''],
      ['E', 'f'],
    ]);
  });

  for (const [what, text] of [
    ['no "="', 'Nothing\0'],
    ['no key', '=value\0'],
    ['a key of 64 bytes', `${'k'.repeat(64)}=1\0`],
    ['a value of 8193 bytes', `Key=${'v'.repeat(8193)}\0`],
    ['too many keys', 'K=1\0'.repeat(300)],
  ]) {
    it(`refuses ${what}`, () => {
      expect(() => parseText(Buffer.from(text))).to.throw(TextError);
    });
  }

  it('never throws anything else', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        try {
          parseText(bytes);
        } catch (error) {
          expect(error).to.be.instanceOf(TextError);
        }
      }),
    );
  });

  it('reads numbers as the standard writes them', () => {
    expect(parseNumber('0')).to.equal(0);
    expect(parseNumber('65536')).to.equal(65536);
    expect(parseNumber('0x1fF')).to.equal(511);
    expect(parseNumber('4294967295')).to.equal(0xffffffff);
    for (const bad of ['', '-1', '01', '1.5', '4294967296', '0x', '0x1ffffffff', ' 1', '1e3', 'Yes']) {
      expect(parseNumber(bad), bad).to.equal(undefined);
    }
  });

  it('reads booleans', () => {
    expect(parseBoolean('Yes')).to.equal(true);
    expect(parseBoolean('No')).to.equal(false);
    expect(parseBoolean('yes')).to.equal(undefined);
  });

  it('reads binary values in both forms', () => {
    expect(parseBinary('0xDEADbeef', 4)).to.deep.equal(Buffer.from('deadbeef', 'hex'));
    expect(parseBinary('0xf', 4)).to.deep.equal(Buffer.of(0x0f));
    expect(parseBinary('0b3q2+7w==', 4)).to.deep.equal(Buffer.from('deadbeef', 'hex'));
    expect(parseBinary('0B3q2+7w==', 4)).to.deep.equal(Buffer.from('deadbeef', 'hex'));
    for (const bad of ['', '0x', 'deadbeef', '0xdeadbeef00', '0xzz', '0b3q2+7', '0bAAAAAAAA', '0b====']) {
      expect(parseBinary(bad, 4), bad).to.equal(undefined);
    }
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 64 }), (bytes) => {
        expect(parseBinary(encodeBinary(bytes), 64)).to.deep.equal(Buffer.from(bytes));
        expect(parseBinary(`0b${Buffer.from(bytes).toString('base64')}`, 64)).to.deep.equal(
          Buffer.from(bytes),
        );
      }),
    );
  });
});
