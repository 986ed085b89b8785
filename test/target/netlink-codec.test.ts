import { expect } from 'chai';
import fc from 'fast-check';
import {
  NetlinkFormatError,
  decodeAttributeList,
  decodeError,
  decodeGeneric,
  decodeMessages,
  encodeAttributes,
  encodeGeneric,
  encodeMessage,
  int32,
  readInt32,
  readText,
  readUint16,
  readUint32,
  readUint64,
  readUint8,
  text,
  uint32,
  uint64,
  uint8,
} from '../../src/target/netlink-codec.js';

const u32 = fc.integer({ min: 0, max: 0xffff_ffff });
const u16 = fc.integer({ min: 0, max: 0xffff });
const byte = fc.integer({ min: 0, max: 255 });
const value = fc.uint8Array({ maxLength: 70 });
const attributes = fc
  .array(fc.tuple(fc.integer({ min: 0, max: 0x3fff }), value), { maxLength: 8 })
  .map((entries) => new Map(entries));
const message = fc.record({ type: u16, flags: u16, sequence: u32, port: u32, payload: value });

/** Damage one place of valid bytes: the likeliest way into a parser. */
const damaged = fc
  .record({ message, command: byte, attributes, at: fc.nat(200), byte, cut: fc.nat(200) })
  .map(({ message, command, attributes, at, byte, cut }) => {
    const bytes = encodeMessage({ ...message, payload: encodeGeneric({ command, version: 2, attributes }) });
    bytes[at % bytes.length] = byte;
    return bytes.subarray(0, cut % 3 === 0 ? cut % bytes.length : undefined);
  });

describe('netlink codec', () => {
  it('encodes a request byte for byte as the kernel’s header files lay it out', function () {
    if (new Uint8Array(Uint16Array.of(1).buffer)[0] !== 1) this.skip();
    const payload = encodeGeneric({ command: 7, version: 2, attributes: new Map([[9, uint8(1)]]) });
    const bytes = encodeMessage({ type: 0x1f, flags: 5, sequence: 0x01020304, port: 0x0a0b, payload });
    expect(Buffer.from(bytes).toString('hex')).to.equal(
      '1c000000' + '1f00' + '0500' + '04030201' + '0b0a0000' + '07020000' + '05000900' + '01000000',
    );
  });

  it('decodes what it encoded', () => {
    fc.assert(
      fc.property(message, byte, byte, attributes, (header, command, version, attributes) => {
        const payload = encodeGeneric({ command, version, attributes });
        const [decoded, ...rest] = decodeMessages(encodeMessage({ ...header, payload }));
        expect(rest).to.deep.equal([]);
        expect(decoded).to.deep.include({ ...header, payload });
        expect(decodeGeneric(decoded.payload)).to.deep.equal({ command, version, attributes });
      }),
      { numRuns: 200 },
    );
  });

  it('takes a datagram of several messages apart', () => {
    fc.assert(
      fc.property(fc.array(message, { maxLength: 5 }), (messages) => {
        const datagram = Buffer.concat(messages.map(encodeMessage));
        expect(decodeMessages(Uint8Array.from(datagram))).to.deep.equal(messages);
      }),
      { numRuns: 100 },
    );
  });

  it('keeps the order of repeated attributes', () => {
    const twice = Buffer.concat([
      encodeAttributes(new Map([[1, text('a')]])),
      encodeAttributes(new Map([[1, text('b')]])),
    ]);
    expect(decodeAttributeList(Uint8Array.from(twice)).map(([, name]) => readText(name))).to.deep.equal([
      'a',
      'b',
    ]);
  });

  it('answers any bytes with messages or with NetlinkFormatError, and never reads past their end', () => {
    const decodeAll = (bytes: Uint8Array): void => {
      try {
        for (const { payload } of decodeMessages(bytes)) {
          expect(payload.length).to.be.at.most(bytes.length);
          decodeGeneric(payload);
        }
      } catch (error) {
        expect(error).to.be.instanceOf(NetlinkFormatError);
      }
    };
    fc.assert(fc.property(fc.oneof(fc.uint8Array({ maxLength: 80 }), damaged), decodeAll), { numRuns: 1000 });
  });

  it('refuses lengths that lie', () => {
    const good = encodeMessage({ type: 2, flags: 0, sequence: 1, port: 0, payload: int32(0) });
    for (const length of [0, 15, good.length + 1, 0xffff_ffff]) {
      const bytes = Uint8Array.from(good);
      bytes.set(uint32(length));
      expect(() => decodeMessages(bytes), `length ${length}`).to.throw(NetlinkFormatError);
    }
    expect(() => decodeMessages(good.subarray(0, 10))).to.throw(NetlinkFormatError);
    expect(() => decodeGeneric(new Uint8Array(3))).to.throw(NetlinkFormatError);
    expect(() => decodeError(new Uint8Array(2))).to.throw(NetlinkFormatError);
  });

  it('carries integers of every size and sign', () => {
    fc.assert(
      fc.property(byte, fc.integer(), u32, fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), (a, b, c, d) => {
        expect(readUint8(uint8(a))).to.equal(a);
        expect(readInt32(int32(b))).to.equal(b);
        expect(readUint32(uint32(c))).to.equal(c);
        expect(readUint64(uint64(d))).to.equal(d);
      }),
    );
    expect(() => readUint16(new Uint8Array(4))).to.throw(NetlinkFormatError, '2 bytes');
    expect(() => readUint64(new Uint8Array(4))).to.throw(NetlinkFormatError, '8 bytes');
  });

  it('reads a string up to its NUL, or to the end where it has none', () => {
    expect(readText(text('größe'))).to.equal('größe');
    expect(readText(Uint8Array.of(0x61, 0x62))).to.equal('ab');
  });

  it('refuses an attribute that its length field cannot describe', () => {
    expect(() => encodeAttributes(new Map([[1, new Uint8Array(0x10000)]]))).to.throw(RangeError);
  });
});
