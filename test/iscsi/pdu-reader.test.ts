import { expect } from 'chai';
import fc from 'fast-check';
import { appendDigest } from '../../src/iscsi/crc32c.js';
import { encodePdu } from '../../src/iscsi/pdu.js';
import { FramingError, PduReader } from '../../src/iscsi/pdu-reader.js';

interface Seen {
  itt: number;
  data: string;
  ahsLength: number;
}

function reader(maxDataLength = 1024): { reader: PduReader; seen: Seen[]; damaged: number[] } {
  const seen: Seen[] = [];
  const damaged: number[] = [];
  const instance = new PduReader(
    {
      pdu(bytes, at, ahsLength, dataStart, dataLength) {
        const data = bytes.toString('hex', dataStart, dataStart + dataLength);
        seen.push({ itt: bytes.readUInt32BE(at + 16), data, ahsLength });
        return true;
      },
      damagedPdu(bytes, at) {
        damaged.push(bytes.readUInt32BE(at + 16));
        return true;
      },
    },
    maxDataLength,
  );
  return { reader: instance, seen, damaged };
}

function withDigests(pdu: Buffer, header: boolean, data: boolean): Buffer {
  const headerEnd = 48 + pdu[4] * 4;
  const parts: Buffer[] = [];
  for (const [part, wanted] of [
    [pdu.subarray(0, headerEnd), header],
    [pdu.subarray(headerEnd), data],
  ] as const) {
    const bytes = Buffer.alloc(part.length + 4);
    bytes.set(part);
    appendDigest(bytes, 0, part.length);
    parts.push(wanted && part.length > 0 ? bytes : part);
  }
  return Buffer.concat(parts);
}

describe('the PDU reader', () => {
  it('finds the same PDUs however the stream is cut', () => {
    const pdu = fc.record({ data: fc.uint8Array({ maxLength: 60 }), ahsWords: fc.nat(3) });
    fc.assert(
      fc.property(
        fc.array(pdu, { minLength: 1, maxLength: 6 }),
        fc.array(fc.integer({ min: 1, max: 120 }), { minLength: 1, maxLength: 20 }),
        fc.boolean(),
        fc.boolean(),
        (pdus, cuts, headerDigest, dataDigest) => {
          const stream = Buffer.concat(
            pdus.map(({ data, ahsWords }, itt) =>
              withDigests(
                encodePdu('nopOut', { itt }, { data, ahs: new Uint8Array(ahsWords * 4) }),
                headerDigest,
                dataDigest,
              ),
            ),
          );
          const { reader: instance, seen, damaged } = reader();
          instance.headerDigest = headerDigest;
          instance.dataDigest = dataDigest;
          for (let at = 0, turn = 0; at < stream.length; turn++) {
            const length = cuts[turn % cuts.length];
            instance.feed(Buffer.from(stream.subarray(at, at + length)));
            at += length;
          }
          expect(damaged).to.deep.equal([]);
          expect(seen).to.deep.equal(
            pdus.map(({ data, ahsWords }, itt) => ({
              itt,
              data: Buffer.from(data).toString('hex'),
              ahsLength: ahsWords * 4,
            })),
          );
          expect(instance.buffered).to.equal(0);
        },
      ),
    );
  });

  it('ends before anything is allocated for a data segment that is too long', () => {
    const { reader: instance } = reader(64);
    const pdu = encodePdu('nopOut', {}, { data: new Uint8Array(65) });
    expect(() => instance.feed(pdu.subarray(0, 48))).to.throw(FramingError, '65 bytes');
    expect(() => instance.feed(pdu.subarray(0, 20))).not.to.throw();
    expect(instance.buffered).to.equal(20);
  });

  it('cannot go on after a wrong header digest', () => {
    const { reader: instance } = reader();
    instance.headerDigest = true;
    const pdu = withDigests(encodePdu('nopOut', { itt: 1 }), true, false);
    pdu[17] ^= 1;
    expect(() => instance.feed(pdu)).to.throw(FramingError, 'digest');
  });

  it('tells of a wrong data digest', () => {
    const { reader: instance, seen, damaged } = reader();
    instance.dataDigest = true;
    const pdu = withDigests(encodePdu('nopOut', { itt: 7 }, { data: new Uint8Array(5) }), false, true);
    pdu[50] ^= 1;
    instance.feed(pdu);
    expect(seen).to.deep.equal([]);
    expect(damaged).to.deep.equal([7]);
  });

  it('stops where it is told to', () => {
    let count = 0;
    const instance = new PduReader({ pdu: () => ++count < 2, damagedPdu: () => false }, 64);
    instance.feed(Buffer.concat([1, 2, 3, 4].map((itt) => encodePdu('nopOut', { itt }))));
    expect(count).to.equal(2);
  });
});
