import { expect } from 'chai';
import * as cdb from '../../../src/scsi/cdb.js';
import { diskWith, pattern, TestDisk } from '../support/disk.js';
import { good, readyUnit, refused, submit, TestCommand } from '../support/unit.js';

const everything = { longCommands: true };

describe('WRITE AND VERIFY', () => {
  for (const [width, writeAndVerify, byte] of [
    ['10', cdb.writeAndVerify10, 1],
    ['12', cdb.writeAndVerify12, 1],
    ['16', cdb.writeAndVerify16, 1],
    ['32', cdb.writeAndVerify32, 10],
  ] as const) {
    describe(`of ${width} bytes`, () => {
      it('writes, makes it stable, and reads it back', async () => {
        for (const bytchk of [0, 1]) {
          const disk = new TestDisk();
          const data = pattern(1024);
          await good(readyUnit(disk, everything), writeAndVerify(3, 2, { bytchk, dpo: true }), data);
          expect([...disk.bytes.subarray(1536, 2560)]).to.deep.equal([...data]);
          expect(disk.calls.map((call) => call.split(' ')[0])).to.deep.equal(['write', 'flush', 'read']);
        }
      });

      it('finds a medium that holds something else, with BYTCHK 1', async () => {
        const disk = new TestDisk();
        const forgetful = diskWith(disk, {
          write: (buffer, offset) => disk.bytes.set(buffer.subarray(0, buffer.length - 1), offset),
        });
        const unit = readyUnit(forgetful, everything);
        const data = new Uint8Array(1024).fill(7);
        await good(unit, writeAndVerify(0, 2), data);
        expect(await refused('e/1d/00', unit, writeAndVerify(0, 2, { bytchk: 1 }), data)).to.include({
          information: 1023,
        });
      });

      it('refuses what a write refuses, and other BYTCHKs', async () => {
        const disk = new TestDisk(100);
        const unit = readyUnit(disk, everything);
        for (const bytchk of [2, 3]) {
          const { field } = await refused(
            '5/24/00',
            unit,
            writeAndVerify(0, 1, { bytchk }),
            new Uint8Array(512),
          );
          expect(field).to.include({ byte, bit: 2 });
        }
        await refused('5/24/00', unit, writeAndVerify(0, 1).with(byte, 0x20), new Uint8Array(512));
        await refused('5/21/00', unit, writeAndVerify(99, 2), new Uint8Array(1024));
        await refused('5/0e/03', unit, writeAndVerify(0, 2), new Uint8Array(512));
        await good(unit, writeAndVerify(100, 0));
        expect(disk.calls).to.deep.equal([]);
        const readOnly = readyUnit(diskWith(new TestDisk(), { readOnly: true }), everything);
        await refused('7/27/00', readOnly, writeAndVerify(0, 1), new Uint8Array(512));
      });

      it('stores and compares the blocks that came where the residual is told', async () => {
        const disk = new TestDisk();
        const command = new TestCommand(writeAndVerify(0, 2, { bytchk: 1 }), { out: [pattern(512)] });
        const answer = await submit(
          readyUnit(disk, everything),
          Object.assign(command, { reportsResidual: true }),
        );
        expect(answer.status).to.equal(0);
        expect(disk.calls).to.include('write 0+512 fua');
        expect((command as { transferLength?: number }).transferLength).to.equal(1024);
      });
    });
  }
});
