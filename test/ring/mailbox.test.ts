import { expect } from 'chai';
import { mailbox, mailboxFlag } from '../../src/ring/abi.js';
import { CommandRing } from '../../src/ring/command-ring.js';
import type { RingRegion } from '../../src/ring/region.js';
import { RingError } from '../../src/ring/ring-error.js';
import { Recorder, TestRegion } from './support.js';

function refusal(region: RingRegion): RingError {
  try {
    new CommandRing(region, new Recorder());
  } catch (error) {
    expect(error).to.be.instanceOf(RingError);
    return error as RingError;
  }
  throw new Error('the mailbox was accepted');
}

describe('mailbox of a ring', () => {
  const cases: [string, (view: DataView) => void, RegExp][] = [
    ['version 1', (view) => view.setUint16(mailbox.version, 1, true), /version 1 .*not 2/],
    ['version 3', (view) => view.setUint16(mailbox.version, 3, true), /version 3 .*not 2/],
    ['no completions out of order', (view) => view.setUint16(mailbox.flags, 0xfffe, true), /out of order/],
    ['no ring', (view) => view.setUint32(mailbox.ringSize, 0, true), /ring of 0 bytes/],
    ['a ring inside the mailbox', (view) => view.setUint32(mailbox.ringOffset, 120, true), /at 120/],
    ['an odd ring offset', (view) => view.setUint32(mailbox.ringOffset, 132, true), /at 132/],
    ['an odd ring size', (view) => view.setUint32(mailbox.ringSize, 4092, true), /ring of 4092/],
    ['a ring beyond the region', (view) => view.setUint32(mailbox.ringSize, 0xffff_fff8, true), /not inside/],
    ['a tail beyond the ring', (view) => view.setUint32(mailbox.tail, 4096, true), /tail 4096/],
    ['an odd tail', (view) => view.setUint32(mailbox.tail, 12, true), /tail 12/],
  ];
  for (const [what, spoil, message] of cases) {
    it(`is refused with ${what}`, () => {
      const region = new TestRegion(4096);
      spoil(region.view);
      const error = refusal(region);
      expect(error.code).to.equal('BAD_MAILBOX');
      expect(error.message).to.match(message);
    });
  }

  it('is refused where the region is too small for one', () => {
    const region = { buffer: new ArrayBuffer(127) } as unknown as RingRegion;
    expect(refusal(region).code).to.equal('BAD_MAILBOX');
  });

  it('needs nothing but completions out of order', () => {
    const region = new TestRegion(4096);
    region.view.setUint16(mailbox.flags, mailboxFlag.outOfOrder, true);
    expect(new CommandRing(region, new Recorder()).broken).to.equal(undefined);
  });
});
