import { expect } from 'chai';
import type { Disk, VendorCommand } from '../../../src/scsi/disk.js';
import { LogicalUnit } from '../../../src/scsi/logical-unit.js';
import { diskWith, pattern, TestDisk } from '../support/disk.js';
import { cut, good, readyUnit, refused, submit, TestCommand } from '../support/unit.js';

const USAGE = [0, 0xff, 0, 0, 0xff, 0x04];

function withCommand(
  direction: VendorCommand['direction'],
  command: NonNullable<Disk['command']>,
): Disk & TestDisk {
  const vendorCommands = [{ opcode: 0xc0, name: 'TEST', usage: USAGE, direction }];
  return diskWith(new TestDisk(), { vendorCommands, command });
}

describe("a handler's own command", () => {
  it('is handed its CDB, no longer than it declared', async () => {
    const seen: Uint8Array[] = [];
    const unit = readyUnit(withCommand('none', (cdb) => (seen.push(cdb), 0)));
    await good(unit, [0xc0, 1, 2, 3, 4, 0, 99, 99]);
    expect(seen.map((cdb) => [...cdb])).to.deep.equal([[0xc0, 1, 2, 3, 4, 0]]);
    await refused('5/24/00', unit, [0xc0, 1, 2, 3, 4]);
    expect(seen).to.have.length(1);
  });

  it('is handed Data-Out in one piece, which stays the transport’s', async () => {
    const data = pattern(100);
    let seen: Uint8Array | undefined;
    const unit = readyUnit(
      withCommand('out', (_cdb, dataOut, dataIn) => {
        seen = dataOut;
        expect(dataIn).to.have.length(0);
        return 0;
      }),
    );
    // TCMU gives the same memory as Data-Out and Data-In.
    const segments = cut(data.slice(), [7, 50, 43]);
    const command = new TestCommand([0xc0, 0, 0, 0, 0, 0], { out: segments, in: segments });
    expect(await submit(unit, command)).to.include({ status: 0, readLength: undefined });
    expect(Buffer.compare(seen!, data)).to.equal(0);
    expect(Buffer.compare(Buffer.concat(segments), data)).to.equal(0);
  });

  for (const [how, answer] of [
    ['at once', (length: number) => length],
    ['later', (length: number) => Promise.resolve(length)],
  ] as const) {
    it(`fills Data-In ${how}; the rest is zeroed`, async () => {
      const unit = readyUnit(
        withCommand('in', (_cdb, dataOut, dataIn) => {
          expect(dataOut).to.have.length(0);
          expect(dataIn).to.have.length(20);
          dataIn.fill(9);
          return answer(13);
        }),
      );
      const segments = [new Uint8Array(10).fill(1), new Uint8Array(10).fill(1)];
      const command = new TestCommand([0xc0, 0, 0, 0, 0, 0], { in: segments });
      expect(await submit(unit, command)).to.include({ status: 0, readLength: 13 });
      const expected = [...new Array<number>(13).fill(9), ...new Array<number>(7).fill(0)];
      expect([...segments[0], ...segments[1]]).to.deep.equal(expected);
    });
  }

  for (const valid of [-1, 21, 1.5, NaN, undefined, '5']) {
    it(`that says ${String(valid)} of 20 bytes are valid fails, and is logged`, async () => {
      const logged: string[] = [];
      const unit = readyUnit(
        withCommand('in', () => valid as number),
        { log: (message) => logged.push(message) },
      );
      await refused('4/44/00', unit, [0xc0, 0, 0, 0, 0, 0], undefined, { dataInLength: 20 });
      expect(logged.join()).to.contain('TEST failed');
      expect(logged.join()).to.contain(`${String(valid)} of 20 bytes`);
    });
  }

  it('may fail as any verb, and needs a started unit', async () => {
    const failing = (): Promise<number> => Promise.reject(Object.assign(new Error('no'), { code: 'ENODEV' }));
    const unit = readyUnit(withCommand('none', failing));
    await refused('2/08/00', unit, [0xc0, 0, 0, 0, 0, 0]);
    unit.medium.power = 'stopped';
    await refused('2/04/02', unit, [0xc0, 0, 0, 0, 0, 0]);
  });

  it('is refused when the unit is made, where it cannot be one', () => {
    const make = (properties: Partial<Disk>): LogicalUnit =>
      new LogicalUnit(diskWith(new TestDisk(), properties));
    const command = (): number => 0;
    const named = (opcode: number, usage = USAGE): VendorCommand[] => [
      { opcode, name: 'MINE', usage, direction: 'none' },
    ];
    expect(() => make({ vendorCommands: named(0xc0) })).to.throw(TypeError, '`command`');
    expect(() => make({ vendorCommands: named(256), command })).to.throw(TypeError, 'MINE');
    expect(() => make({ vendorCommands: named(0xc0, [0xc0]), command })).to.throw(TypeError, 'MINE');
    expect(() => make({ vendorCommands: named(0x28), command })).to.throw('28h of MINE is taken');
    expect(() => make({ vendorCommands: named(0x9e), command })).to.throw('9eh of MINE is taken');
    expect(() => make({ vendorCommands: [], command })).not.to.throw();
  });
});
