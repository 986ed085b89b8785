import { expect } from 'chai';
import { cdbLengthAt } from '../../src/ring/cdb-length.js';

function lengthOf(opcode: number, available: number, additionalLength = 0): number {
  const bytes = new Uint8Array(300);
  bytes[3] = opcode;
  bytes[3 + 7] = additionalLength;
  return cdbLengthAt(bytes, 3, available);
}

describe('length of a CDB', () => {
  const groups: [string, number, number][] = [
    ['TEST UNIT READY, group 0', 0x00, 6],
    ['the last of group 0', 0x1f, 6],
    ['READ CAPACITY(10), group 1', 0x25, 10],
    ['group 2', 0x5f, 10],
    ['READ(16), group 4', 0x88, 16],
    ['SERVICE ACTION IN(16)', 0x9e, 16],
    ['READ(12), group 5', 0xa8, 12],
  ];
  for (const [what, opcode, length] of groups) {
    it(`is ${length} for ${what}, though the entry pads it`, () => {
      expect(lengthOf(opcode, 264)).to.equal(length);
    });
  }

  it('of a vendor’s operation code is all there is, 16 bytes at most', () => {
    for (const opcode of [0xc0, 0xdf, 0xe0, 0xff]) {
      expect(lengthOf(opcode, 8)).to.equal(8);
      expect(lengthOf(opcode, 16)).to.equal(16);
      expect(lengthOf(opcode, 32)).to.equal(16);
    }
  });

  it('of a reserved group-3 operation code is all there is, 16 bytes at most', () => {
    expect(lengthOf(0x60, 8)).to.equal(8);
    expect(lengthOf(0x7e, 24)).to.equal(16);
  });

  it('of 7Fh is what its additional length says', () => {
    expect(lengthOf(0x7f, 264, 0x18)).to.equal(32);
    expect(lengthOf(0x7f, 264, 252)).to.equal(260);
  });

  it('of 7Fh never exceeds 260 bytes, nor what the entry has', () => {
    expect(lengthOf(0x7f, 280, 255)).to.equal(260);
    expect(lengthOf(0x7f, 32, 252)).to.equal(32);
    expect(lengthOf(0x7f, 4, 252)).to.equal(4);
  });

  it('never goes past the end of the entry', () => {
    expect(lengthOf(0x88, 8)).to.equal(8);
    expect(lengthOf(0x00, 1)).to.equal(1);
  });
});
