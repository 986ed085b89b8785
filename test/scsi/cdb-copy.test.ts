import { expect } from 'chai';
import fc from 'fast-check';
import { readUint16, readUint32, readUint64 } from '../../src/scsi/big-endian.js';
import * as cdb from '../../src/scsi/cdb.js';
import { commandTable } from '../../src/scsi/command-table.js';
import { copyLimits } from '../../src/scsi/copy-limits.js';
import { parseCopyList } from '../../src/scsi/copy-list.js';
import { parseRanges } from '../../src/scsi/copy-ranges.js';
import { TestDisk } from './support/disk.js';
import { readyUnit } from './support/unit.js';

const lba = fc.maxSafeNat();
const index = fc.nat(0xffff);

const target = fc.record({
  codeSet: fc.nat(15),
  type: fc.nat(15),
  value: fc.uint8Array({ maxLength: 20 }),
  blockLength: fc.nat(0xff_ffff),
  pad: fc.boolean(),
});

const blockSegment = fc.record({
  source: index,
  destination: index,
  blocks: fc.nat(0xffff),
  sourceLba: lba,
  destinationLba: lba,
  destinationCounts: fc.boolean(),
});

const offsetSegment = fc.record({
  source: index,
  destination: index,
  bytes: fc.nat(0xffff_ffff),
  sourceLba: lba,
  destinationLba: lba,
  sourceByte: index,
  destinationByte: index,
});

describe('the parameter list of EXTENDED COPY', () => {
  it('decodes to what was encoded', () => {
    const lists = fc.record({
      listId: fc.option(fc.nat(255), { nil: undefined }),
      targets: fc.array(target, { maxLength: copyLimits.targets }),
      segments: fc.array(fc.oneof(blockSegment, offsetSegment), { maxLength: copyLimits.segments }),
    });
    fc.assert(
      fc.property(lists, (fields) => {
        const list = parseCopyList(cdb.extendedCopyParameters(fields));
        expect(list.listId).to.equal(fields.listId);
        expect(list.targets).to.deep.equal(
          fields.targets.map(({ codeSet, type, value, blockLength, pad }) => ({
            designator: { codeSet, type, value },
            deviceType: 0,
            pad,
            blockLength,
          })),
        );
        const expected = fields.segments.map((segment, at) => {
          const { source, destination, sourceLba, destinationLba } = segment;
          const common = { index: at, concatenate: false, source, destination, sourceLba, destinationLba };
          if ('bytes' in segment) {
            const { bytes, sourceByte, destinationByte } = segment;
            return { ...common, amount: bytes, unit: 'bytes', sourceByte, destinationByte };
          }
          const unit = segment.destinationCounts ? 'destinationBlocks' : 'sourceBlocks';
          return { ...common, amount: segment.blocks, unit, sourceByte: 0, destinationByte: 0 };
        });
        expect(list.segments).to.deep.equal(expected);
      }),
    );
  });

  it('of any bytes is decoded or refused', () => {
    const header = (bytes: Uint8Array): Uint8Array => bytes.with(2, 0).with(3, bytes[3] & 0x60);
    const lists = fc.uint8Array({ minLength: 16, maxLength: 400 });
    fc.assert(
      fc.property(fc.oneof(lists, lists.map(header)), (bytes) => {
        try {
          parseCopyList(bytes);
        } catch (error) {
          expect((error as Error).name).to.equal('SenseError');
        }
      }),
      { numRuns: 500 },
    );
  });
});

describe('the parameter lists of the token commands', () => {
  const size = 2 ** 40;
  const unit = readyUnit({ size, read: (): void => undefined });
  const some = fc.array(fc.nat(1000), { minLength: 1, maxLength: 64 }).map((lengths) => {
    let at = 0;
    return lengths.map((blocks) => {
      const range = { lba: at, blocks };
      at += blocks + 3;
      return range;
    });
  });
  const bytesOf = (ranges: cdb.BlockRange[]) =>
    ranges
      .filter(({ blocks }) => blocks > 0)
      .map((range) => ({ offset: range.lba * 512, length: range.blocks * 512 }));

  it('decode to what was encoded', () => {
    const token = new Uint8Array(512).map((_, at) => at);
    fc.assert(
      fc.property(
        some,
        fc.nat(),
        fc.maxSafeNat(),
        fc.boolean(),
        fc.boolean(),
        (ranges, seconds, offset, a, b) => {
          const populate = cdb.populateTokenParameters({
            ranges,
            inactivityTimeout: seconds,
            rodType: a ? 0x0080_0000 : undefined,
            immediate: b,
          });
          expect(parseRanges(unit, populate, 14)).to.deep.equal(bytesOf(ranges));
          expect([readUint16(populate, 0), readUint32(populate, 4)]).to.deep.equal([
            populate.length - 2,
            seconds,
          ]);
          expect([populate[2], readUint32(populate, 8)]).to.deep.equal([
            (a ? 2 : 0) | (b ? 1 : 0),
            a ? 0x0080_0000 : 0,
          ]);
          const write = cdb.writeUsingTokenParameters({
            token,
            ranges,
            offset,
            immediate: a,
            deleteToken: b,
          });
          expect(parseRanges(unit, write, 534)).to.deep.equal(bytesOf(ranges));
          expect([readUint16(write, 0), readUint64(write, 8)]).to.deep.equal([write.length - 2, offset]);
          expect(write[2]).to.equal((a ? 1 : 0) | (b ? 2 : 0));
          expect(write.subarray(16, 528)).to.deep.equal(token);
        },
      ),
    );
  });
});

describe('CDBs of third-party copy', () => {
  const builders: [string, number, (listId: number, length: number) => Uint8Array][] = [
    ['EXTENDED COPY(LID1)', 0, (_, length) => cdb.extendedCopy(length)],
    ['POPULATE TOKEN', 4, cdb.populateToken],
    ['WRITE USING TOKEN', 4, cdb.writeUsingToken],
    ['RECEIVE COPY STATUS(LID1)', 1, cdb.receiveCopyStatusLid1],
    ['RECEIVE COPY DATA(LID1)', 1, cdb.receiveCopyDataLid1],
    ['RECEIVE COPY OPERATING PARAMETERS', 0, (_, length) => cdb.receiveCopyOperatingParameters(length)],
    ['RECEIVE COPY FAILURE DETAILS(LID1)', 1, cdb.receiveCopyFailureDetailsLid1],
    ['RECEIVE COPY STATUS(LID4)', 4, cdb.receiveCopyStatusLid4],
    ['RECEIVE ROD TOKEN INFORMATION', 4, cdb.receiveRodTokenInformation],
  ];
  const { commands } = readyUnit(new TestDisk());
  for (const [name, width, build] of builders) {
    it(`of ${name} set the fields its usage data name, and no others`, () => {
      fc.assert(
        fc.property(fc.nat(0xffff_ffff), fc.nat(0xffff_ffff), (anyId, length) => {
          const listId = width === 1 ? anyId & 0xff : anyId;
          const bytes = build(listId, length);
          const definition = commands.find(bytes[0], bytes[1])!;
          expect(definition.name).to.equal(name);
          expect(commandTable).to.include(definition);
          expect(bytes).to.have.length(definition.usage.length);
          bytes.forEach((byte, at) => expect(byte & ~definition.usage[at]).to.equal(0));
          expect(readUint32(bytes, 10)).to.equal(length);
          if (width === 1) expect(bytes[2]).to.equal(listId);
          if (width === 4) expect(readUint32(bytes, 2)).to.equal(listId);
        }),
      );
    });
  }
});
