import { expect } from 'chai';
import { Idempotence } from '../../src/device/idempotence.js';
import * as cdb from '../../src/scsi/cdb.js';

describe('Idempotence', () => {
  const idempotence = new Idempotence({
    vendorCommands: [
      { opcode: 0xc0, name: 'PING', usage: [0xc0, 0, 0, 0, 0, 0], direction: 'none', idempotent: true },
      { opcode: 0xc1, name: 'COUNT', usage: [0xc1, 0, 0, 0, 0, 0], direction: 'none' },
    ],
  });
  const variable = (action: number): Uint8Array =>
    Uint8Array.of(0x7f, 0, 0, 0, 0, 0, 0, 24, action >> 8, action);

  const repeatable: [string, Uint8Array][] = [
    ['READ', cdb.read16(0, 1)],
    ['WRITE', cdb.write16(0, 1)],
    ['WRITE SAME', cdb.writeSame16(0, 1)],
    ['UNMAP', cdb.unmap(24)],
    ['SYNCHRONIZE CACHE', cdb.synchronizeCache16()],
    ['WRITE(32)', variable(0x000b)],
    ['COPY OPERATION ABORT', Uint8Array.of(0x83, 0x1c)],
    ['a handler’s command that says so', Uint8Array.of(0xc0)],
    ['an operation code that nobody has', Uint8Array.of(0xfe)],
  ];
  for (const [what, bytes] of repeatable) {
    it(`lets ${what} run again`, () => expect(idempotence.isIdempotent(bytes)).to.equal(true));
  }

  const once: [string, Uint8Array][] = [
    ['COMPARE AND WRITE', Uint8Array.of(0x89)],
    ['ORWRITE(16)', Uint8Array.of(0x8b)],
    ['ORWRITE(32)', variable(0x000e)],
    ['WRITE ATOMIC(16)', Uint8Array.of(0x9c)],
    ['WRITE ATOMIC(32)', variable(0x000f)],
    ['a vendor’s CDB of variable length', variable(0x8001)],
    ['EXTENDED COPY', Uint8Array.of(0x83, 0)],
    ['POPULATE TOKEN', Uint8Array.of(0x83, 0x10)],
    ['WRITE USING TOKEN', Uint8Array.of(0x83, 0x11)],
    ['PERSISTENT RESERVE OUT', Uint8Array.of(0x5f, 6)],
    ['a handler’s command that says nothing', Uint8Array.of(0xc1)],
  ];
  for (const [what, bytes] of once) {
    it(`does not let ${what}`, () => expect(idempotence.isIdempotent(bytes)).to.equal(false));
  }
});
