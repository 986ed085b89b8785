import { expect } from 'chai';
import { commandTable } from '../../../src/scsi/command-table.js';
import { TargetPortGroups } from '../../../src/scsi/target-port-groups.js';
import { CapableDisk, diskWith, TestDisk, ThinDisk } from '../support/disk.js';
import { good, readyUnit, refused } from '../support/unit.js';

const TIMEOUTS = `000a${'00'.repeat(10)}`;
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

/** REPORT SUPPORTED OPERATION CODES. */
function rsoc(options: number, opcode = 0, action = 0, length = 65535): number[] {
  const cdb = [0xa3, 0x0c, options, opcode, action >> 8, action & 0xff];
  return [...cdb, 0, 0, length >> 8, length & 0xff, 0, 0];
}

interface Listed {
  opcode: number;
  action: number | undefined;
  cdbLength: number;
}

function parse(data: Uint8Array, withTimeouts: boolean): Listed[] {
  const bytes = Buffer.from(data);
  expect(bytes.readUInt32BE(0)).to.equal(bytes.length - 4);
  const list: Listed[] = [];
  for (let at = 4; at < bytes.length; at += withTimeouts ? 20 : 8) {
    expect((bytes[at + 5] & 2) !== 0, 'CTDP').to.equal(withTimeouts);
    if (withTimeouts) expect(hex(bytes.subarray(at + 8, at + 20))).to.equal(TIMEOUTS);
    const action = (bytes[at + 5] & 1) === 0 ? undefined : bytes.readUInt16BE(at + 2);
    list.push({ opcode: bytes[at], action, cdbLength: bytes.readUInt16BE(at + 6) });
  }
  return list;
}

const derived = commandTable.map(({ opcode, serviceAction, usage }) => ({
  opcode,
  action: serviceAction,
  cdbLength: usage.length,
}));

/** What makes a unit have every command of the table. */
const everything = {
  longCommands: true,
  removable: true,
  portGroups: new TargetPortGroups([{ relativeId: 1, group: 1, name: 'one' }]),
};

describe('REPORT SUPPORTED OPERATION CODES', () => {
  for (const withTimeouts of [false, true]) {
    const rctd = withTimeouts ? 0x80 : 0;
    describe(withTimeouts ? 'with timeouts descriptors' : 'without timeouts descriptors', () => {
      it('lists the command table', async () => {
        const unit = readyUnit(new CapableDisk(), everything);
        expect(parse(await good(unit, rsoc(rctd)), withTimeouts)).to.deep.equal(derived);
      });

      it('tells the usage of each command of the table', async () => {
        const unit = readyUnit(new CapableDisk(), everything);
        for (const { opcode, serviceAction, usage, name } of commandTable) {
          const option = serviceAction === undefined ? 1 : 2;
          const data = await good(unit, rsoc(rctd | option, opcode, serviceAction ?? 0));
          const expected = `00${withTimeouts ? '83' : '03'}00${usage.length.toString(16).padStart(2, '0')}`;
          const tail = withTimeouts ? TIMEOUTS : '';
          expect(hex(data), name).to.equal(expected + hex(Uint8Array.from(usage)) + tail);
          expect(await good(unit, rsoc(rctd | 3, opcode, serviceAction ?? 0))).to.deep.equal(data);
        }
      });
    });
  }

  it('leaves out what the disk cannot do', async () => {
    const unit = readyUnit(new TestDisk());
    const listed = parse(await good(unit, rsoc(0)), false);
    const missing = (code: number, action?: number): boolean =>
      !listed.some((entry) => entry.opcode === code && entry.action === action);
    expect(missing(0x42), 'UNMAP').to.equal(true);
    expect(missing(0x9c), 'WRITE ATOMIC(16)').to.equal(true);
    expect(missing(0x48, 2), 'BLOCK ERASE').to.equal(true);
    expect(missing(0x48, 3), 'CRYPTOGRAPHIC ERASE').to.equal(true);
    expect(missing(0x48, 1), 'OVERWRITE').to.equal(false);
    expect(hex(await good(unit, rsoc(1, 0x42)))).to.equal('00010000');
  });

  it('lists the commands of the handler', async () => {
    const usage = [0, 0xff, 0, 0, 0, 4];
    const disk = diskWith(new TestDisk(), {
      vendorCommands: [{ opcode: 0xc1, name: 'PING', usage, direction: 'none' }],
      command: () => 0,
    });
    const unit = readyUnit(disk);
    expect(parse(await good(unit, rsoc(0)), false).at(-1)).to.deep.equal({
      opcode: 0xc1,
      action: undefined,
      cdbLength: 6,
    });
    expect(hex(await good(unit, rsoc(1, 0xc1)))).to.equal('00030006c1ff00000004');
  });

  it('says that others are not supported', async () => {
    const unit = readyUnit(new ThinDisk());
    for (const request of [
      rsoc(1, 0xff),
      rsoc(2, 0xff, 1),
      rsoc(2, 0x9e, 0x11),
      rsoc(2, 0x7f, 0x109),
      rsoc(3, 0x28, 1),
    ]) {
      expect(hex(await good(unit, request))).to.equal('00010000');
    }
    expect(hex(await good(unit, rsoc(2, 0x9e, 0x110))), 'a service action has 5 bits here').to.equal(
      '00010000',
    );
  });

  it('refuses to look up in the wrong way, and reserved options', async () => {
    const unit = readyUnit(new ThinDisk());
    expect((await refused('5/24/00', unit, rsoc(1, 0x9e))).field).to.include({ byte: 3 });
    expect((await refused('5/24/00', unit, rsoc(2, 0x28))).field).to.include({ byte: 3 });
    expect((await refused('5/24/00', unit, rsoc(4))).field).to.include({ byte: 2, bit: 2 });
  });

  it('is cut to the allocation length', async () => {
    const unit = readyUnit(new TestDisk());
    expect(await good(unit, rsoc(0, 0, 0, 4))).to.have.length(4);
  });
});
