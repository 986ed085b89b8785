import { expect } from 'chai';
import fc from 'fast-check';
import {
  decodePdu,
  encodePdu,
  isBefore,
  pduFields,
  pduName,
  pduOpcode,
  type PduName,
  type PduValues,
} from '../../src/iscsi/pdu.js';

const fieldsOf = (name: PduName): [string, readonly [number, number]][] =>
  Object.entries(pduFields[name] as Record<string, readonly [number, number]>);
const names = Object.keys(pduOpcode) as PduName[];

function valuesOf(name: PduName): fc.Arbitrary<Record<string, number | Uint8Array>> {
  const arbitraries: Record<string, fc.Arbitrary<number | Uint8Array>> = { flags: fc.nat(255) };
  for (const [key, [, length]] of fieldsOf(name)) {
    arbitraries[key] =
      length <= 4
        ? fc.integer({ min: 0, max: 256 ** length - 1 })
        : fc.uint8Array({ minLength: length, maxLength: length });
  }
  return fc.record(arbitraries);
}

describe('PDUs', () => {
  for (const name of names) {
    it(`${name}: decode after encode is the identity`, () => {
      fc.assert(
        fc.property(
          valuesOf(name),
          fc.boolean(),
          fc.uint8Array({ maxLength: 40 }),
          fc.nat(4),
          (values, immediate, data, ahsWords) => {
            const ahs = new Uint8Array(ahsWords * 4).fill(0x11);
            const bytes = encodePdu(name, values as unknown as PduValues<typeof name>, {
              immediate,
              data,
              ahs,
            });
            expect(bytes.length % 4).to.equal(0);
            const decoded = decodePdu(bytes);
            // The header says 80h and 40h in the operation code's byte of requests only.
            expect(decoded).to.deep.equal({ name, immediate, values, ahsWords, dataLength: data.length });
            const start = 48 + ahs.length;
            expect(Uint8Array.from(bytes.subarray(start, start + data.length))).to.deep.equal(data);
          },
        ),
        { numRuns: 50 },
      );
    });

    it(`${name}: its fields do not overlap`, () => {
      const taken = new Set([0, 1, 4, 5, 6, 7]);
      for (const [, [at, length]] of fieldsOf(name)) {
        for (let byte = at; byte < at + length; byte++) {
          expect(taken.has(byte), `byte ${byte}`).to.equal(false);
          taken.add(byte);
        }
      }
      expect(Math.max(...taken)).to.be.below(48);
    });
  }

  it('knows no other operation codes', () => {
    expect(pduName(0x07)).to.equal(undefined);
    expect(decodePdu(new Uint8Array(48).fill(0x1c))).to.equal(undefined);
  });

  it('refuses to encode what the length fields cannot say', () => {
    expect(() => encodePdu('nopOut', {}, { ahs: new Uint8Array(3) })).to.throw(RangeError);
    expect(() => encodePdu('nopOut', {}, { ahs: new Uint8Array(1024) })).to.throw(RangeError);
    expect(() => encodePdu('nopOut', {}, { data: new Uint8Array(0x1000000) })).to.throw(RangeError);
  });

  it('compares serial numbers around their end', () => {
    expect(isBefore(0xffffffff, 0)).to.equal(true);
    expect(isBefore(0, 0xffffffff)).to.equal(false);
    expect(isBefore(5, 5)).to.equal(false);
    expect(isBefore(4, 5)).to.equal(true);
  });
});
