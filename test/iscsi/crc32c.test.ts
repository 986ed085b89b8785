import { expect } from 'chai';
import fc from 'fast-check';
import { appendDigest, crc32c, digestMatches } from '../../src/iscsi/crc32c.js';

function bitByBit(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0x82f63b78 : 0);
  }
  return ~crc >>> 0;
}

describe('CRC32C', () => {
  it("has the standard's examples", () => {
    expect(crc32c(new Uint8Array(32))).to.equal(0x8a9136aa);
    expect(crc32c(new Uint8Array(32).fill(0xff))).to.equal(0x62a8ab43);
    expect(crc32c(Uint8Array.from({ length: 32 }, (_, index) => index))).to.equal(0x46dd794e);
    expect(crc32c(Uint8Array.from({ length: 32 }, (_, index) => 31 - index))).to.equal(0x113fdb5c);
  });

  it('is that of the definition, for any bytes and any part of them', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 600 }), fc.nat(20), (bytes, start) => {
        const from = Math.min(start, bytes.length);
        expect(crc32c(bytes, from)).to.equal(bitByBit(bytes.subarray(from)));
      }),
    );
  });

  it('is the same short and long', () => {
    for (const length of [0, 1, 7, 8, 255, 256, 257, 4096]) {
      const bytes = Uint8Array.from({ length: length + 8 }, (_, index) => index * 13);
      expect(crc32c(bytes, 8), `${length} bytes`).to.equal(bitByBit(bytes.subarray(8)));
    }
  });

  it('notices every changed byte', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 64 }), fc.nat(), (bytes, where) => {
        const signed = new Uint8Array(bytes.length + 4);
        signed.set(bytes);
        appendDigest(signed, 0, bytes.length);
        expect(digestMatches(signed, 0, bytes.length)).to.equal(true);
        signed[where % signed.length] ^= 0x10;
        expect(digestMatches(signed, 0, bytes.length)).to.equal(false);
      }),
    );
  });
});
