import { expect } from 'chai';
import fc from 'fast-check';
import { decodeSense, describeSense, encodeSense } from '../../src/scsi/sense-data.js';
import { additionalSense, senseKey, type SenseDetails } from '../../src/scsi/sense.js';

const details = fc.record(
  {
    information: fc.option(fc.nat(0xffff_ffff), { nil: undefined }),
    field: fc.option(
      fc
        .record({ inCdb: fc.boolean(), byte: fc.nat(0xffff), bit: fc.option(fc.nat(7), { nil: undefined }) })
        .map(({ bit, ...field }) => (bit === undefined ? field : { ...field, bit })),
      { nil: undefined },
    ),
  },
  { noNullPrototype: true },
);

describe('sense data', () => {
  for (const format of ['fixed', 'descriptor'] as const) {
    it(`in ${format} format decode to what was encoded`, () => {
      fc.assert(
        fc.property(fc.nat(15), fc.nat(0xffff), details, (key, code, { information, field }) => {
          // With the other keys the same bytes count progress.
          fc.pre(field === undefined || (key !== senseKey.noSense && key !== senseKey.notReady));
          const sense = encodeSense(key, code, { information, field }, format);
          expect(decodeSense(sense)).to.deep.equal({ key, code, information, field });
        }),
      );
    });

    it(`in ${format} format count the progress of what goes on in the background`, () => {
      fc.assert(
        fc.property(fc.constantFrom(senseKey.noSense, senseKey.notReady), fc.nat(0xffff), (key, progress) => {
          const code = additionalSense.logicalUnitNotReadySanitizeInProgress;
          expect(decodeSense(encodeSense(key, code, { progress }, format))).to.include({ code, progress });
        }),
      );
    });

    it(`in ${format} format tell a deferred error from a current one`, () => {
      const sense = encodeSense(senseKey.mediumError, 0x0c00, { deferred: true }, format);
      expect(sense[0]).to.equal(format === 'fixed' ? 0x71 : 0x73);
      expect(decodeSense(sense)).to.include({ key: senseKey.mediumError, code: 0x0c00, deferred: true });
    });

    it(`in ${format} format fit what TCMU and iSCSI carry`, () => {
      const all: SenseDetails = { information: 2 ** 40, field: { inCdb: true, byte: 2, bit: 7 } };
      expect(encodeSense(5, 0x2400, all, format).length).to.be.at.most(96);
    });
  }

  it('in fixed format have 18 bytes, laid out as SPC-4 has them', () => {
    const field = { inCdb: true, byte: 0x0102, bit: 5 };
    const sense = encodeSense(senseKey.illegalRequest, 0x2401, { information: 0x11223344, field });
    expect(Buffer.from(sense).toString('hex')).to.equal('f00005112233440a000000002401' + '00cd0102');
  });

  it('in fixed format leave out information of more than 4 bytes', () => {
    const sense = encodeSense(senseKey.mediumError, 0x1100, { information: 2 ** 32 });
    expect(sense[0]).to.equal(0x70);
    expect(decodeSense(sense)!.information).to.equal(undefined);
  });

  it('in descriptor format have 8 bytes of information', () => {
    const sense = encodeSense(senseKey.mediumError, 0x1100, { information: 2 ** 40 }, 'descriptor');
    expect(Buffer.from(sense).toString('hex')).to.equal('720311000000000c' + '000a80000000010000000000');
  });

  it('point at the parameter list where the CDB is not at fault', () => {
    const field = { inCdb: false, byte: 9 };
    expect([...encodeSense(5, 0x2600, { field }).subarray(15)]).to.deep.equal([0x80, 0, 9]);
    const descriptor = encodeSense(5, 0x2600, { field }, 'descriptor');
    expect(Buffer.from(descriptor.subarray(8)).toString('hex')).to.equal('0206000080000900');
  });

  it('without details have no descriptor', () => {
    expect([...encodeSense(6, 0x2901, {}, 'descriptor')]).to.deep.equal([0x72, 6, 0x29, 1, 0, 0, 0, 0]);
  });

  it('never set another bit than the sense key', () => {
    expect(encodeSense(0xff, 0)[2]).to.equal(0x0f);
    expect(encodeSense(0xff, 0, {}, 'descriptor')[1]).to.equal(0x0f);
  });

  it('of any bytes decode without a throw', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 40 }),
        fc.constantFrom(0x70, 0x71, 0x72, 0x73, 0),
        (bytes, first) => {
          if (first !== 0 && bytes.length > 0) bytes[0] = first;
          const sense = decodeSense(bytes);
          if (sense) expect(sense.key).to.be.within(0, 15);
        },
      ),
    );
    expect(decodeSense(new Uint8Array())).to.equal(undefined);
    expect(decodeSense(Uint8Array.of(0x70, 0, 5))).to.equal(undefined);
  });

  it('are described in words and numbers', () => {
    expect(describeSense({ key: senseKey.illegalRequest, code: additionalSense.invalidFieldInCdb })).to.equal(
      'illegal request, invalid field in cdb (5/24/00)',
    );
    expect(describeSense({ key: 0xc, code: 0x9901 })).to.equal('c/99/01');
  });
});
