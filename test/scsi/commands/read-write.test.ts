import { expect } from 'chai';
import * as cdb from '../../../src/scsi/cdb.js';
import type { CommandContext } from '../../../src/scsi/disk.js';
import { scsiStatus } from '../../../src/scsi/status.js';
import { diskWith, pattern, TestDisk } from '../support/disk.js';
import {
  cut,
  Deferred,
  good,
  readyUnit,
  refused,
  run,
  senseOf,
  submit,
  TestCommand,
} from '../support/unit.js';

type Build = (lba: number, blocks: number, flags?: cdb.BlockFlags) => Uint8Array;
const widths: [string, Build, Build][] = [
  ['6', cdb.read6, cdb.write6],
  ['10', cdb.read10, cdb.write10],
  ['12', cdb.read12, cdb.write12],
  ['16', cdb.read16, cdb.write16],
];

/** Offset of TRANSFER LENGTH in READ(16). */
const LENGTH_16 = 10;

describe('READ and WRITE', () => {
  for (const [width, read, write] of widths) {
    describe(`of ${width} bytes`, () => {
      it('transfer blocks of any size of block', async () => {
        for (const blockSize of [512, 4096]) {
          const disk = new TestDisk(64, blockSize);
          const unit = readyUnit(disk);
          const data = pattern(3 * blockSize);
          await good(unit, write(5, 3), data);
          expect(Buffer.compare(disk.bytes.subarray(5 * blockSize, 8 * blockSize), data)).to.equal(0);
          const found = await good(unit, read(5, 3), undefined, { dataInLength: 3 * blockSize });
          expect(Buffer.compare(found, data)).to.equal(0);
          expect(disk.calls).to.deep.equal([
            `write ${5 * blockSize}+${3 * blockSize}`,
            `read ${5 * blockSize}+${3 * blockSize}`,
          ]);
        }
      });

      it('reach the last block and no further', async () => {
        const disk = new TestDisk(100);
        const unit = readyUnit(disk);
        expect(await good(unit, read(99, 1), undefined, { dataInLength: 512 })).to.have.length(512);
        await good(unit, write(98, 2), new Uint8Array(1024));
        const calls = disk.calls.length;
        for (const [lba, blocks] of [
          [99, 2],
          [100, 1],
          [0x1f_ffff, 1],
        ]) {
          await refused('5/21/00', unit, read(lba, blocks));
          await refused('5/21/00', unit, write(lba, blocks), new Uint8Array(blocks * 512));
        }
        expect(disk.calls).to.have.length(calls);
      });

      it('refuse Data-Out that is shorter than the CDB says, and write nothing', async () => {
        const disk = new TestDisk();
        await refused('5/0e/03', readyUnit(disk), write(0, 2), new Uint8Array(1023));
        await refused('5/0e/03', readyUnit(disk), write(0, 2), new Uint8Array(512));
        await refused('5/0e/03', readyUnit(disk), write(0, 2));
        expect(disk.calls).to.deep.equal([]);
      });

      it('ignore Data-Out beyond what the CDB says', async () => {
        const disk = new TestDisk();
        await good(readyUnit(disk), write(0, 1), pattern(2048));
        expect(disk.calls).to.deep.equal(['write 0+512']);
      });

      it('fill a Data-In buffer that is too short as far as it goes', async () => {
        const disk = new TestDisk();
        disk.bytes.set(pattern(4096));
        for (const dataInLength of [512, 700, 1]) {
          const found = await good(readyUnit(disk), read(0, 2), undefined, { dataInLength });
          expect([...found]).to.deep.equal([...pattern(4096).subarray(0, dataInLength)]);
        }
        expect(await good(readyUnit(disk), read(0, 2), undefined, { dataInLength: 0 })).to.have.length(0);
      });

      it('zero a Data-In buffer beyond the blocks that were read', async () => {
        const disk = new TestDisk();
        disk.bytes.fill(0x55);
        const segments = [new Uint8Array(1024).fill(0xee), new Uint8Array(512).fill(0xee)];
        const { readLength } = await submit(readyUnit(disk), new TestCommand(read(0, 1), { in: segments }));
        expect(readLength).to.equal(512);
        expect(segments[0].subarray(0, 512).every((byte) => byte === 0x55)).to.equal(true);
        expect(segments[0].subarray(512).every((byte) => byte === 0)).to.equal(true);
        expect(segments[1].every((byte) => byte === 0)).to.equal(true);
      });
    });
  }

  it('take 0 as 256 blocks in 6 bytes, and ignore what is a flag elsewhere', async () => {
    const disk = new TestDisk(4096);
    const unit = readyUnit(disk);
    await good(unit, [0x0a, 0xe0, 0, 0, 0, 0], new Uint8Array(256 * 512));
    await good(unit, [0x08, 0xe0, 0, 0, 0, 0], undefined, { dataInLength: 256 * 512 });
    expect(disk.calls).to.deep.equal(['write 0+131072', 'read 0+131072']);
    await refused('5/21/00', unit, [0x08, 0x08, 0, 0, 1, 0]);
  });

  it('of no blocks transfer nothing, inside the disk and at its end', async () => {
    const disk = new TestDisk(100);
    const unit = readyUnit(disk);
    for (const lba of [0, 99, 100]) {
      expect(await good(unit, cdb.read10(lba, 0))).to.have.length(0);
      await good(unit, cdb.write10(lba, 0));
    }
    await refused('5/21/00', unit, cdb.read16(101, 0));
    expect(disk.calls).to.deep.equal([]);
    const segment = new Uint8Array(16).fill(0xee);
    const { readLength } = await submit(unit, new TestCommand(cdb.read10(0, 0), { in: [segment] }));
    expect(readLength).to.equal(0);
    expect([...segment]).to.deep.equal(new Array(16).fill(0));
  });

  it('refuse addresses that overflow, also past 2^53', async () => {
    const unit = readyUnit(new TestDisk());
    for (const [high, low] of [
      ['ffffffff', 'ffffffff'],
      ['00200000', '00000000'],
      ['80000000', '00000000'],
      ['00000001', '00000000'],
    ]) {
      const bytes = Buffer.from(`8800${high}${low}000000010000`, 'hex');
      await refused('5/21/00', unit, bytes);
    }
  });

  it('refuse more blocks than a command may transfer, and name the field', async () => {
    const unit = readyUnit(new TestDisk(100_000), { maxTransferBlocks: 100 });
    const max = { dataInLength: 51200 };
    expect(await good(unit, cdb.read10(0, 100), undefined, max)).to.have.length(51200);
    const at = async (bytes: Uint8Array): Promise<unknown> => (await refused('5/24/00', unit, bytes)).field;
    expect(await at(cdb.read6(0, 101))).to.deep.equal({ inCdb: true, byte: 4 });
    expect(await at(cdb.read10(0, 101))).to.deep.equal({ inCdb: true, byte: 7 });
    expect(await at(cdb.read12(0, 101))).to.deep.equal({ inCdb: true, byte: 6 });
    expect(await at(cdb.read16(0, 101))).to.deep.equal({ inCdb: true, byte: LENGTH_16 });
  });

  it('refuse protection information', async () => {
    const unit = readyUnit(new TestDisk());
    for (const bytes of [cdb.read10(0, 1), cdb.read16(0, 1), cdb.write12(0, 1), cdb.verify10(0, 1)]) {
      bytes[1] |= 0x20;
      const { field } = await refused('5/24/00', unit, bytes, new Uint8Array(512));
      expect(field).to.deep.equal({ inCdb: true, byte: 1, bit: 7 });
    }
  });

  describe('FUA and DPO', () => {
    it('write FUA is followed by a flush', async () => {
      const disk = new TestDisk();
      await good(readyUnit(disk), cdb.write10(0, 1, { fua: true }), new Uint8Array(512));
      expect(disk.calls).to.deep.equal(['write 0+512 fua', 'flush fua']);
    });

    it('write FUA is left to a disk that does it itself', async () => {
      const disk = diskWith(new TestDisk(), { nativeFua: true });
      await good(readyUnit(disk), cdb.write10(0, 1, { fua: true }), new Uint8Array(512));
      expect(disk.calls).to.deep.equal(['write 0+512 fua']);
    });

    it('write FUA needs no flush where there is none', async () => {
      const disk = diskWith(new TestDisk(), { flush: undefined });
      await good(readyUnit(disk), cdb.write10(0, 1, { fua: true }), new Uint8Array(512));
      expect(disk.calls).to.deep.equal(['write 0+512 fua']);
    });

    it('read FUA flushes first', async () => {
      const disk = new TestDisk();
      await good(readyUnit(disk), cdb.read10(0, 1, { fua: true }), undefined, { dataInLength: 512 });
      expect(disk.calls).to.deep.equal(['flush fua', 'read 0+512 fua']);
    });

    it('read FUA waits for an asynchronous flush, and fails with it', async () => {
      const flushed = new Deferred();
      const disk = diskWith(new TestDisk(), { flush: () => flushed.promise });
      const command = new TestCommand(cdb.read10(0, 1, { fua: true }), { in: [new Uint8Array(512)] });
      const done = submit(readyUnit(disk), command);
      expect(disk.calls).to.deep.equal([]);
      flushed.resolve();
      expect((await done).readLength).to.equal(512);
      expect(disk.calls).to.deep.equal(['read 0+512 fua']);

      const broken = diskWith(new TestDisk(), {
        flush: () => Promise.reject(Object.assign(new Error('no'), { code: 'EIO' })),
      });
      await refused('3/11/00', readyUnit(broken), cdb.read10(0, 1, { fua: true }));
      expect(broken.calls).to.deep.equal([]);
    });

    it('read FUA of a disk without a write cache needs no flush', async () => {
      const disk = diskWith(new TestDisk(), { writeCache: false });
      await good(readyUnit(disk), cdb.read10(0, 1, { fua: true }), undefined, { dataInLength: 512 });
      expect(disk.calls).to.deep.equal(['read 0+512 fua']);
    });

    it('DPO is handed on, and neither flag outlives its command', async () => {
      const disk = new TestDisk();
      const unit = readyUnit(disk);
      await good(unit, cdb.write16(0, 1, { dpo: true }), new Uint8Array(512));
      await submit(unit, new TestCommand(cdb.read10(0, 1), { in: [new Uint8Array(512)] }));
      await submit(unit, new TestCommand(cdb.read6(0, 1), { in: [new Uint8Array(512)] }));
      expect(disk.calls).to.deep.equal(['write 0+512 dpo', 'read 0+512', 'read 0+512']);
    });

    it('a failed flush fails the write', async () => {
      const disk = diskWith(new TestDisk(), {
        flush: () => Promise.reject(Object.assign(new Error('no'), { code: 'ENOSPC' })),
      });
      await refused('7/27/07', readyUnit(disk), cdb.write10(0, 1, { fua: true }), new Uint8Array(512));
    });

    it('an asynchronous write is flushed when it is done', async () => {
      const written = new Deferred();
      const disk = diskWith(new TestDisk(), { write: () => written.promise });
      const command = new TestCommand(cdb.write10(0, 1, { fua: true }), { out: [new Uint8Array(512)] });
      const done = submit(readyUnit(disk), command);
      expect(disk.calls).to.deep.equal([]);
      written.resolve();
      expect((await done).status).to.equal(scsiStatus.good);
      expect(disk.calls).to.deep.equal(['flush fua']);
    });
  });

  describe('on a disk that may not be written', () => {
    it('writes are refused where it says readOnly, and where it has no write', async () => {
      for (const properties of [{ readOnly: true }, { write: undefined }]) {
        const unit = readyUnit(diskWith(new TestDisk(), properties));
        await refused('7/27/00', unit, cdb.write10(0, 1), new Uint8Array(512));
        await good(unit, cdb.read10(0, 1));
      }
    });
  });

  describe('in several segments', () => {
    const data = pattern(4096, 3);

    async function transfer(disk: TestDisk, lengths: readonly number[]): Promise<void> {
      const unit = readyUnit(disk);
      const out = cut(data, lengths);
      expect((await submit(unit, new TestCommand(cdb.write10(3, 8), { out }))).status).to.equal(0);
      expect(Buffer.compare(disk.bytes.subarray(1536, 1536 + 4096), data)).to.equal(0);
      const found = new Uint8Array(4096).fill(0xee);
      const command = new TestCommand(cdb.read10(3, 8), { in: cut(found, lengths) });
      expect((await submit(unit, command)).readLength).to.equal(4096);
      expect(Buffer.compare(found, data)).to.equal(0);
    }

    it('one verb call each, where boundaries are between blocks', async () => {
      const disk = new TestDisk();
      await transfer(disk, [512, 2048, 1536]);
      expect(disk.calls).to.deep.equal([
        'write 1536+512',
        'write 2048+2048',
        'write 4096+1536',
        'read 1536+512',
        'read 2048+2048',
        'read 4096+1536',
      ]);
    });

    it('one bounce buffer, where a boundary is inside a block', async () => {
      const disk = new TestDisk();
      await transfer(disk, [100, 3000, 996]);
      expect(disk.calls).to.deep.equal(['write 1536+4096', 'read 1536+4096']);
    });

    it('one readv and writev, where the disk has them', async () => {
      const disk = new TestDisk();
      await transfer(
        diskWith(disk, {
          readv(buffers: readonly Uint8Array[], offset: number) {
            disk.calls.push(`readv ${buffers.map(({ length }) => length).join()}`);
            for (const buffer of buffers) {
              buffer.set(disk.bytes.subarray(offset, offset + buffer.length));
              offset += buffer.length;
            }
          },
          async writev(buffers: readonly Uint8Array[], offset: number) {
            disk.calls.push(`writev ${buffers.map(({ length }) => length).join()}`);
            for (const buffer of buffers) {
              disk.bytes.set(buffer, offset);
              offset += buffer.length;
            }
          },
        }),
        [512, 2048, 1536],
      );
      expect(disk.calls).to.deep.equal(['writev 512,2048,1536', 'readv 512,2048,1536']);
    });

    it('are cut to what the CDB says', async () => {
      const disk = new TestDisk();
      const command = new TestCommand(cdb.write10(0, 3), { out: cut(pattern(4096), [1024, 1024, 2048]) });
      await submit(readyUnit(disk), command);
      expect(disk.calls).to.deep.equal(['write 0+1024', 'write 1024+512']);
    });

    it('of a read that ends inside a block are filled to their end', async () => {
      const disk = new TestDisk();
      disk.bytes.set(data);
      const found = new Uint8Array(1000);
      const command = new TestCommand(cdb.read10(0, 8), { in: cut(found, [512, 488]) });
      expect((await submit(readyUnit(disk), command)).readLength).to.equal(1000);
      expect([...found]).to.deep.equal([...data.subarray(0, 1000)]);
      expect(disk.calls).to.deep.equal(['read 0+1024']);
    });

    /** A disk whose reads end when told. */
    function heldDisk(): { disk: TestDisk; reads: Deferred[] } {
      const reads: Deferred[] = [];
      const read = (): Promise<void> => {
        const deferred = new Deferred();
        reads.push(deferred);
        return deferred.promise;
      };
      return { disk: diskWith(new TestDisk(), { read }), reads };
    }

    it('run side by side, and a failure is answered only when none uses the buffer any more', async () => {
      const { disk, reads } = heldDisk();
      const command = new TestCommand(cdb.read10(0, 3), { in: cut(new Uint8Array(1536), [512, 512, 512]) });
      const done = submit(readyUnit(disk), command);
      expect(reads).to.have.length(3);
      reads[1].reject(Object.assign(new Error('bad block'), { code: 'EIO' }));
      reads[0].resolve();
      await new Promise(setImmediate);
      expect(command.completions).to.have.length(0);
      reads[2].resolve();
      expect(senseOf(await done)).to.equal('3/11/00');
    });

    it('wait for those that run where a later one throws', async () => {
      const held = new Deferred();
      let calls = 0;
      const disk = diskWith(new TestDisk(), {
        write() {
          if (calls++ === 0) return held.promise;
          throw Object.assign(new Error('full'), { code: 'ENOSPC' });
        },
      });
      const command = new TestCommand(cdb.write10(0, 3), { out: cut(new Uint8Array(1536), [512, 512, 512]) });
      const done = submit(readyUnit(disk), command);
      await new Promise(setImmediate);
      expect(command.completions).to.have.length(0);
      held.resolve();
      expect(senseOf(await done)).to.equal('7/27/07');
      expect(calls).to.equal(2);
    });

    it('end at once where the first throws', async () => {
      const disk = diskWith(new TestDisk(), {
        read() {
          throw Object.assign(new Error('bad'), { code: 'EIO' });
        },
      });
      const command = new TestCommand(cdb.read10(0, 2), { in: cut(new Uint8Array(1024), [512, 512]) });
      const unit = readyUnit(disk);
      expect(senseOf(await submit(unit, command))).to.equal('3/11/00');
    });
  });

  it('end in the turn they came in, where the verb does', () => {
    const unit = readyUnit(new TestDisk());
    const read = new TestCommand(cdb.read10(0, 1), { in: [new Uint8Array(512)] });
    const write = new TestCommand(cdb.write10(0, 1), { out: [new Uint8Array(512)] });
    const nexus = { name: 'another' };
    unit.attentions.take(nexus);
    unit.submit(read, nexus);
    unit.submit(write, nexus);
    expect([read.completions.length, write.completions.length]).to.deep.equal([1, 1]);
  });

  it('end when the promise of the verb settles', async () => {
    const held = new Deferred();
    const contexts: CommandContext[] = [];
    const disk = diskWith(new TestDisk(), {
      read(_buffer: Uint8Array, _offset: number, context: CommandContext) {
        contexts.push(context);
        return held.promise;
      },
    });
    const controller = new AbortController();
    const response = run(readyUnit(disk), cdb.read10(0, 1), undefined, { signal: controller.signal });
    controller.abort();
    expect(contexts[0].signal.aborted).to.equal(true);
    held.reject(contexts[0].signal.reason);
    expect(senseOf(await response)).to.equal('b/00/00');
  });
});
