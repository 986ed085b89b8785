import { expect } from 'chai';
import * as cdb from '../../../src/scsi/cdb.js';
import { commandTable } from '../../../src/scsi/command-table.js';
import { serviceAction } from '../../../src/scsi/opcode.js';
import { decodeSense } from '../../../src/scsi/sense-data.js';
import { CapableDisk, diskWith, pattern, TestDisk, ThinDisk } from '../support/disk.js';
import { Deferred, good, readyUnit, refused, run, senseOf } from '../support/unit.js';

const { sanitizeOverwrite, sanitizeBlockErase, sanitizeCryptographicErase, sanitizeExitFailureMode } =
  serviceAction;

/** CDB and parameter list of OVERWRITE. */
function overwrite(
  bytes: Uint8Array,
  passes = 1,
  invert = false,
  options: cdb.SanitizeOptions = {},
): [Uint8Array, Uint8Array] {
  const list = cdb.overwriteParameters(bytes, passes, invert);
  return [cdb.sanitize(sanitizeOverwrite, { ...options, parameterListLength: list.length }), list];
}

describe('SANITIZE', () => {
  it('OVERWRITE fills the medium with the pattern, block by block', async () => {
    for (const length of [1, 3, 256, 512]) {
      const disk = new TestDisk(5000);
      await good(readyUnit(disk), ...overwrite(pattern(length)));
      const block = Uint8Array.from({ length: 512 }, (_, at) => pattern(length)[at % length]);
      for (const lba of [0, 1, 2047, 2048, 4999]) {
        expect([...disk.bytes.subarray(lba * 512, (lba + 1) * 512)]).to.deep.equal([...block]);
      }
      expect(disk.calls.at(-1)).to.equal('flush');
    }
  });

  it('OVERWRITE inverts each second pass, and makes each stable', async () => {
    for (const [passes, invert, found] of [
      [1, true, 0x0f],
      [2, true, 0xf0],
      [3, true, 0x0f],
      [2, false, 0x0f],
    ] as const) {
      const disk = new TestDisk(64);
      await good(readyUnit(disk), ...overwrite(Uint8Array.of(0x0f), passes, invert));
      expect(disk.bytes.every((byte) => byte === found)).to.equal(true);
      expect(disk.calls.filter((call) => call === 'flush')).to.have.length(passes);
    }
  });

  it('OVERWRITE refuses lists that say nothing sensible', async () => {
    const disk = new TestDisk(64);
    const unit = readyUnit(disk);
    const list = cdb.overwriteParameters(new Uint8Array(512));
    const request = (parameterListLength: number): Uint8Array =>
      cdb.sanitize(sanitizeOverwrite, { parameterListLength });
    for (const length of [0, 1, 2, 3, 4, 517, 65535]) await refused('5/24/00', unit, request(length), list);
    for (const [byte, value] of [
      [0, 0x00],
      [0, 0x21],
      [2, 0x00],
      [3, 0x04],
    ]) {
      await refused('5/24/00', unit, request(516), list.with(byte, value).with(3, byte === 3 ? value : 0));
    }
    await refused('5/0e/03', unit, request(516), list.subarray(0, 515));
    expect(disk.calls).to.deep.equal([]);
  });

  it('BLOCK ERASE leaves zeroes without storage, where the disk can deallocate', async () => {
    const disk = new ThinDisk(64);
    disk.bytes.fill(1);
    await good(readyUnit(disk), cdb.sanitize(sanitizeBlockErase));
    expect(disk.calls).to.deep.equal(['unmap 0+32768', 'flush']);
    expect(
      (await refused('5/24/00', readyUnit(new TestDisk()), cdb.sanitize(sanitizeBlockErase))).field,
    ).to.include({
      byte: 1,
    });
  });

  it('CRYPTOGRAPHIC ERASE is left to a disk that can', async () => {
    const disk = new CapableDisk();
    await good(readyUnit(disk), cdb.sanitize(sanitizeCryptographicErase));
    expect(disk.calls).to.deep.equal(['cryptoErase', 'flush']);
    await refused('5/24/00', readyUnit(new ThinDisk()), cdb.sanitize(sanitizeCryptographicErase));
  });

  it('tells in VPD page B1h which blocks can be read after it', async () => {
    for (const [disk, byte] of [
      [new TestDisk(), 0],
      [new ThinDisk(), 0x40],
      [new CapableDisk(), 0x50],
    ] as const) {
      expect((await good(readyUnit(disk), cdb.inquiry(255, 0xb1)))[7]).to.equal(byte);
    }
  });

  it('takes no reserved bit, and no list where there is none', async () => {
    const disk = new CapableDisk();
    const unit = readyUnit(disk);
    for (const action of [
      sanitizeBlockErase,
      sanitizeCryptographicErase,
      sanitizeExitFailureMode,
      sanitizeOverwrite,
    ]) {
      const [command, list] =
        action === sanitizeOverwrite ? overwrite(new Uint8Array(512)) : [cdb.sanitize(action), undefined];
      expect((await refused('5/24/00', unit, command.with(1, command[1] | 0x40), list)).field).to.include({
        byte: 1,
        bit: 6,
      });
      for (let byte = 2; byte < 7; byte++) {
        expect((await refused('5/24/00', unit, command.with(byte, 1), list)).field).to.include({ byte });
      }
      if (!list) await refused('5/24/00', unit, command.with(8, 8), new Uint8Array(8));
    }
    await refused('5/24/00', unit, cdb.sanitize(4));
    expect(disk.calls).to.deep.equal([]);
  });

  it('is refused where nothing may be written', async () => {
    const unit = readyUnit(diskWith(new CapableDisk(), { readOnly: true }));
    await refused('7/27/00', unit, ...overwrite(new Uint8Array(512)));
    await refused('7/27/00', unit, cdb.sanitize(sanitizeBlockErase));
    await refused('7/27/00', unit, cdb.sanitize(sanitizeCryptographicErase));
  });

  it('keeps every command that needs the medium waiting, and tells its progress', async () => {
    const held = new Deferred();
    let pauses = 0;
    const unit = readyUnit(new CapableDisk(8192), {
      pause: () => (pauses++, held.promise),
      removable: true,
      longCommands: true,
    });
    await good(unit, ...overwrite(Uint8Array.of(1), 2, false, { immed: true }));
    while (pauses === 0) await Promise.resolve();
    for (const {
      name,
      opcode,
      serviceAction: action = 0,
      usage,
      medium,
      direction,
      reservation,
    } of commandTable) {
      const command = new Uint8Array(usage.length);
      command.set([opcode, opcode === 0x7f ? 0 : action]);
      if (opcode === 0x7f) command.set([24, action >> 8, action & 0xff], 7);
      if (!unit.commands.decode(command)) continue;
      const answer = await run(unit, command);
      if (direction === 'in' && (!medium || reservation === 'always')) {
        expect(senseOf(answer), name).not.to.match(/^2/);
      } else {
        expect(senseOf(answer), name).to.equal('2/04/1b');
        // 1 of 4 MiB, the first of two times.
        expect(decodeSense(answer.sense), name).to.include({ progress: 0x2000 });
      }
    }
    const sense = await good(unit, [0x03, 0, 0, 0, 252, 0]);
    expect(decodeSense(sense)).to.include({ key: 2, code: 0x041b, progress: 0x2000 });
    held.resolve();
    while (unit.background.running) await Promise.resolve();
    await good(unit, cdb.testUnitReady());
  });

  describe('that failed', () => {
    function breakable() {
      const state = { broken: true };
      const disk = new TestDisk(64);
      const write: TestDisk['write'] = (...args) => {
        if (state.broken) throw Object.assign(new Error('broken'), { code: 'EIO' });
        return TestDisk.prototype.write.apply(disk, args);
      };
      return { state, unit: readyUnit(diskWith(disk, { write })) };
    }

    it('leaves nothing to be read until one succeeds', async () => {
      const { state, unit } = breakable();
      await refused('3/31/03', unit, ...overwrite(Uint8Array.of(1)));
      await refused('3/31/03', unit, cdb.testUnitReady());
      await refused('3/31/03', unit, cdb.read10(0, 1));
      expect(decodeSense(await good(unit, [0x03, 0, 0, 0, 252, 0]))).to.include({ key: 3, code: 0x3103 });
      state.broken = false;
      const { field } = await refused(
        '5/24/00',
        unit,
        ...overwrite(Uint8Array.of(1), 1, false, { exitAllowed: true }),
      );
      expect(field, 'AUSE would make the restriction weaker').to.include({ byte: 1, bit: 5 });
      await refused('5/24/00', unit, cdb.sanitize(sanitizeExitFailureMode));
      await good(unit, ...overwrite(Uint8Array.of(1)));
      await good(unit, cdb.read10(0, 1));
    });

    it('may be left by EXIT FAILURE MODE, with AUSE', async () => {
      const { unit } = breakable();
      await good(unit, cdb.sanitize(sanitizeExitFailureMode));
      await refused('3/31/03', unit, ...overwrite(Uint8Array.of(1), 1, false, { exitAllowed: true }));
      await refused('3/31/03', unit, cdb.read10(0, 1));
      await good(unit, cdb.sanitize(sanitizeExitFailureMode));
      await good(unit, cdb.read10(0, 1));
    });
  });
});
