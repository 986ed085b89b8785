import { expect } from 'chai';
import fc from 'fast-check';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { z } from 'zod';
import { checkedDisk } from '../../src/device/checked-disk.js';
import { configure } from '../../src/handlers/cfgstring.js';
import type { Disk, Handler, OpenRequest } from '../../src/handlers/contract.js';
import { describeOptions } from '../../src/handlers/describe-options.js';
import { describeRingConformance } from './ring-suite.js';
import { context, expectBytes, failureOf, pattern, quietLog, serve } from './support.js';

/*
 * What every handler must do, whatever it stores its blocks in. Run it over a handler of your own:
 *
 *   describeHandlerConformance('mine', { handler: mine, cfgstring: (directory) => `${directory}/disk` });
 */

export type OptionalVerb = 'unmap' | 'writeZeroes' | 'extents' | 'resize';

export interface ConformanceSubject {
  readonly handler: Handler<z.ZodObject>;
  /** The cfgstring of a new disk of zeroes. @param directory an empty one, removed after the test */
  cfgstring(directory: string): string;
  /** False for a disk that forgets what is written. Default true. */
  readonly keepsData?: boolean;
  /** True where data is there again when the same cfgstring is opened anew. Default false. */
  readonly outlivesClose?: boolean;
  /** Optional verbs it does not have. An `unmap` after which anything may be read counts as none. */
  readonly without?: readonly OptionalVerb[];
  /** A disk of zeroes that fails with ENOSPC well before 4 MiB are written, and the way to get rid of it. */
  readonly full?: (directory: string) => Promise<{ cfgstring: string; release: () => Promise<void> }>;
  /** True where a disk of 1 TiB can be opened and costs only what is written. Default true. */
  readonly sparse?: boolean;
}

const KIB = 1024;
const MIB = 1024 * KIB;
const TIB = 1024 * 1024 * MIB;

async function readBytes(disk: Disk, offset: number, length: number): Promise<Uint8Array> {
  // What a read leaves as it was must show, hence not zeroes.
  const buffer = new Uint8Array(length).fill(0xee);
  await disk.read(buffer, offset, context());
  return buffer;
}

/** `bytes` cut in pieces of whole blocks, the way a command comes in several buffers. */
function pieces(bytes: Uint8Array, block: number, sizes: readonly number[]): Uint8Array[] {
  const cut: Uint8Array[] = [];
  let at = 0;
  for (const blocks of sizes) {
    if (at >= bytes.length) break;
    cut.push(bytes.subarray(at, at + blocks * block));
    at += blocks * block;
  }
  if (at < bytes.length) cut.push(bytes.subarray(at));
  return cut;
}

type Operation = { block: number; blocks: number } & (
  | { kind: 'read'; sizes: number[] }
  | { kind: 'write'; seed: number; sizes: number[]; fua: boolean }
  | { kind: 'unmap' }
  | { kind: 'writeZeroes'; mayUnmap: boolean }
  | { kind: 'flush' }
);

const sizes = fc.array(fc.integer({ min: 1, max: 20 }), { maxLength: 4 });

function operations(blocks: number): fc.Arbitrary<Operation[]> {
  const range = fc
    .tuple(fc.integer({ min: 0, max: blocks - 1 }), fc.integer({ min: 1, max: blocks }))
    .map(([block, count]) => ({ block, blocks: Math.min(count, blocks - block) }));
  const kind = fc.oneof(
    fc.record({ kind: fc.constant('read' as const), sizes }),
    fc.record({ kind: fc.constant('write' as const), seed: fc.nat(255), sizes, fua: fc.boolean() }),
    fc.record({ kind: fc.constant('unmap' as const) }),
    fc.record({ kind: fc.constant('writeZeroes' as const), mayUnmap: fc.boolean() }),
    fc.record({ kind: fc.constant('flush' as const) }),
  );
  return fc.array(
    fc.tuple(range, kind).map(([where, what]) => ({ ...where, ...what })),
    { minLength: 1, maxLength: 25 },
  );
}

async function apply(disk: Disk, model: Uint8Array, operation: Operation, keepsData: boolean): Promise<void> {
  const block = disk.blockSize ?? 512;
  const offset = operation.block * block;
  const length = operation.blocks * block;
  switch (operation.kind) {
    case 'read': {
      const found = new Uint8Array(length).fill(0xee);
      const buffers = pieces(found, block, operation.sizes);
      if (disk.readv) await disk.readv(buffers, offset, context());
      else {
        for (const buffer of buffers) {
          await disk.read(buffer, offset + (buffer.byteOffset - found.byteOffset), context());
        }
      }
      expectBytes(found, model.subarray(offset, offset + length), `read of ${length} at ${offset}`);
      break;
    }
    case 'write': {
      const data = pattern(length, operation.seed);
      const buffers = pieces(data.slice(), block, operation.sizes);
      const fua = context({ fua: operation.fua });
      if (disk.writev) await disk.writev(buffers, offset, fua);
      else {
        let at = offset;
        for (const buffer of buffers) {
          const next = at + buffer.length;
          await disk.write?.(buffer, at, fua);
          at = next;
        }
      }
      if (keepsData) model.set(data, offset);
      break;
    }
    case 'unmap':
      if (!disk.unmap || disk.unmapReadsZeroes === false) break;
      await disk.unmap(offset, length, context());
      model.fill(0, offset, offset + length);
      break;
    case 'writeZeroes':
      if (!disk.writeZeroes) break;
      await disk.writeZeroes(offset, length, operation.mayUnmap, context());
      model.fill(0, offset, offset + length);
      break;
    case 'flush':
      await disk.flush?.(context());
  }
}

/** Declare the suite; call it inside or outside of a `describe`. */
export function describeHandlerConformance(name: string, subject: ConformanceSubject): void {
  const { handler, keepsData = true, outlivesClose = false, sparse = true, without = [], full } = subject;

  describe(`handler conformance: ${name}`, () => {
    let directory: string;
    const opened: Disk[] = [];

    beforeEach(async () => {
      directory = await mkdtemp(join(tmpdir(), 'lunette-conformance-'));
    });

    afterEach(async () => {
      for (const disk of opened.splice(0)) await disk.close?.();
      await rm(directory, { recursive: true, force: true });
    });

    async function openDisk(request: Partial<OpenRequest> = {}, cfgstring?: string): Promise<Disk> {
      const config = configure(handler, cfgstring ?? subject.cfgstring(directory));
      await handler.check?.(config);
      const disk = await handler.open(config, { log: quietLog, ...request });
      opened.push(disk);
      return disk;
    }

    async function closeDisk(disk: Disk): Promise<void> {
      opened.splice(opened.indexOf(disk), 1);
      await disk.close?.();
    }

    const written = (bytes: Uint8Array): Uint8Array => (keepsData ? bytes : new Uint8Array(bytes.length));

    it('describes itself and each of its options', () => {
      expect(handler.description).to.match(/\S/);
      for (const option of describeOptions(handler)) expect(option.description, option.name).to.match(/\S/);
    });

    it('has the size and the block size it was asked for', async () => {
      const disk = await openDisk({ size: 8 * MIB, blockSize: 4096 });
      expect(disk.size).to.equal(8 * MIB);
      expect(disk.blockSize).to.equal(4096);
      expect(disk.physicalBlockSize ?? 4096).to.be.at.least(4096);
    });

    it('reads a new disk as zeroes, from its first block to its last', async () => {
      const disk = await openDisk({ size: MIB });
      expectBytes(await readBytes(disk, 0, MIB), new Uint8Array(MIB), 'new disk');
    });

    it('refuses a size that is no multiple of its block size', async () => {
      // The handler may see to it, or leave it to the logical unit.
      const error = await failureOf(async () => serve(await openDisk({ size: MIB + 512, blockSize: 4096 })));
      expect(error.message).to.match(/multiple/);
    });

    it('keeps what is written to the first block, to the last and across everything', async () => {
      const disk = await openDisk({ size: MIB });
      for (const [offset, length] of [
        [0, 512],
        [MIB - 512, 512],
        [65536 - 512, 1024],
        [3 * 512, 200 * KIB],
        [0, MIB],
      ]) {
        const bytes = pattern(length, offset + length);
        await disk.write?.(bytes.slice(), offset, context());
        expectBytes(await readBytes(disk, offset, length), written(bytes), `${length} bytes at ${offset}`);
      }
    });

    it('touches nothing beside the buffer it is given', async () => {
      const disk = await openDisk({ size: MIB });
      const around = new Uint8Array(4096 * 3).fill(0x55);
      await disk.read(around.subarray(4096, 8192), 4096, context());
      expect(around.subarray(0, 4096).every((byte) => byte === 0x55)).to.equal(true);
      expect(around.subarray(8192).every((byte) => byte === 0x55)).to.equal(true);
      expect(around.subarray(4096, 8192).every((byte) => byte === 0)).to.equal(true);
    });

    it('agrees with a plain array of bytes over random commands, and keeps no buffer', async function () {
      this.timeout(60_000);
      const blocks = 384;
      let serial = 0;
      await fc.assert(
        fc.asyncProperty(operations(blocks), fc.constantFrom(512, 4096), async (commands, blockSize) => {
          const own = await mkdtemp(join(directory, `run-${serial++}-`));
          const size = blocks * blockSize;
          const disk = await openDisk({ size, blockSize }, subject.cfgstring(own));
          const checked = checkedDisk(disk);
          const model = new Uint8Array(size);
          for (const command of commands) await apply(checked, model, command, keepsData);
          expectBytes(await readBytes(disk, 0, size), model, 'whole disk');
          await closeDisk(disk);
          await rm(own, { recursive: true });
        }),
        { numRuns: 25 },
      );
    });

    it('serves many commands at a time', async () => {
      const disk = await openDisk({ size: 4 * MIB });
      const count = 64;
      const length = (4 * MIB) / count;
      const data = Array.from({ length: count }, (_, index) => pattern(length, index));
      await Promise.all(
        data.map(async (bytes, index) => disk.write?.(bytes.slice(), index * length, context())),
      );
      const found = await Promise.all(data.map((_, index) => readBytes(disk, index * length, length)));
      found.forEach((bytes, index) => expectBytes(bytes, written(data[index]), `command ${index}`));
    });

    it('leaves each block as one of the writes that overlapped on it made it', async () => {
      const disk = await openDisk({ size: MIB });
      const writers = [1, 2, 3, 4, 5, 6, 7, 8];
      await Promise.all(
        writers.map(async (value) =>
          disk.write?.(new Uint8Array(64 * KIB).fill(value), value * 8 * KIB, context()),
        ),
      );
      const found = await readBytes(disk, 8 * KIB, 120 * KIB);
      for (let at = 0; at < found.length; at += 512) {
        const block = found.subarray(at, at + 512);
        expect(new Set(block).size, `values in the block at ${at}`).to.equal(1);
        expect(block[0] === 0 ? !keepsData : writers.includes(block[0])).to.equal(true);
      }
    });

    if (!without.includes('unmap')) {
      it('reads an unmapped range as zeroes, and its neighbours as before', async () => {
        const disk = await openDisk({ size: MIB });
        const expected = pattern(MIB, 9);
        await disk.write?.(expected.slice(), 0, context());
        for (const [offset, length] of [
          [512, 512],
          [65536, 65536],
          [200 * KIB + 512, 300 * KIB],
          [MIB - 4096, 4096],
        ]) {
          await disk.unmap!(offset, length, context());
          expected.fill(0, offset, offset + length);
        }
        expectBytes(await readBytes(disk, 0, MIB), written(expected), 'after unmap');
      });
    }

    if (!without.includes('writeZeroes')) {
      it('writes zeroes, whether it may unmap or not', async () => {
        const disk = await openDisk({ size: MIB });
        const expected = pattern(MIB, 4);
        await disk.write?.(expected.slice(), 0, context());
        await disk.writeZeroes!(4096, 130 * KIB, true, context());
        await disk.writeZeroes!(MIB / 2 + 512, 130 * KIB, false, context());
        expected.fill(0, 4096, 4096 + 130 * KIB).fill(0, MIB / 2 + 512, MIB / 2 + 512 + 130 * KIB);
        expectBytes(await readBytes(disk, 0, MIB), written(expected), 'after writing zeroes');
      });
    }

    if (!without.includes('extents')) {
      it('reports extents without gaps whose holes read as zeroes', async () => {
        const disk = await openDisk({ size: 4 * MIB });
        await disk.write?.(pattern(70 * KIB, 1), MIB + 512, context());
        await disk.write?.(pattern(512, 2), 3 * MIB, context());
        const [start, end] = [512 * KIB, 4 * MIB - 512];
        let at = start;
        let data = 0;
        while (at < end) {
          const extents = await disk.extents!(at, end - at, context());
          expect(extents).to.have.length.greaterThan(0);
          for (const { offset, length, hole } of extents) {
            expect(offset).to.equal(at);
            expect(length % 512).to.equal(0);
            expect(length).to.be.greaterThan(0);
            if (hole) expectBytes(await readBytes(disk, offset, length), new Uint8Array(length), 'hole');
            else data += length;
            at += length;
          }
        }
        expect(at).to.equal(end);
        if (keepsData)
          expect(data)
            .to.be.at.least(71 * KIB)
            .and.below(MIB);
      });
    }

    it('has stable data after a write with FUA or a flush', async () => {
      const disk = await openDisk({ size: MIB });
      const bytes = pattern(64 * KIB, 3);
      await disk.write?.(bytes.slice(), 0, context({ fua: true }));
      await disk.write?.(bytes.slice(), 512 * KIB, context());
      await disk.flush?.(context());
      await closeDisk(disk);
      if (!outlivesClose) return;
      const again = await openDisk({ size: MIB });
      expectBytes(await readBytes(again, 0, bytes.length), bytes, 'after FUA');
      expectBytes(await readBytes(again, 512 * KIB, bytes.length), bytes, 'after flush');
    });

    if (!without.includes('resize')) {
      it('changes its size while it is in use, and shows it at once', async () => {
        const disk = await openDisk({ size: MIB });
        const bytes = pattern(MIB, 5);
        await disk.write?.(bytes.slice(), 0, context());
        await disk.resize!(2 * MIB);
        expect(disk.size).to.equal(2 * MIB);
        expectBytes(await readBytes(disk, 0, MIB), written(bytes), 'old part');
        expectBytes(await readBytes(disk, MIB, MIB), new Uint8Array(MIB), 'new part');
        await disk.write?.(pattern(512, 6), 2 * MIB - 512, context());
        expectBytes(await readBytes(disk, 2 * MIB - 512, 512), written(pattern(512, 6)), 'last block');
        await disk.resize!(512 * KIB);
        expect(disk.size).to.equal(512 * KIB);
        expectBytes(await readBytes(disk, 0, 512 * KIB), written(bytes.slice(0, 512 * KIB)), 'shrunk');
      });
    }

    if (sparse) {
      it('is a terabyte that costs what is written', async () => {
        const disk = await openDisk({ size: TIB });
        expect(disk.size).to.equal(TIB);
        for (const offset of [0, TIB / 2 + 512, TIB - 8192]) {
          await disk.write?.(pattern(8192, offset % 251), offset, context());
        }
        for (const offset of [0, TIB / 2 + 512, TIB - 8192]) {
          expectBytes(
            await readBytes(disk, offset, 8192),
            written(pattern(8192, offset % 251)),
            `at ${offset}`,
          );
        }
        expectBytes(await readBytes(disk, TIB / 4, 8192), new Uint8Array(8192), 'never written');
        await disk.unmap?.(0, TIB, context());
        if (disk.unmap && disk.unmapReadsZeroes !== false) {
          expectBytes(
            await readBytes(disk, TIB - 8192, 8192),
            new Uint8Array(8192),
            'after unmapping it all',
          );
        }
      });
    }

    if (full) {
      it('fails with ENOSPC when it is full, and goes on serving', async () => {
        const { cfgstring, release } = await full(directory);
        try {
          const disk = await openDisk({ size: 16 * MIB }, cfgstring);
          let offset = 0;
          const error = await failureOf(async () => {
            for (; offset < 4 * MIB; offset += 64 * KIB) {
              await disk.write?.(pattern(64 * KIB, offset >> 16), offset, context());
            }
          });
          expect(error.code).to.equal('ENOSPC');
          expect(offset).to.be.greaterThan(0);
          expectBytes(await readBytes(disk, 0, 64 * KIB), pattern(64 * KIB, 0), 'written before');
          await disk.write?.(pattern(64 * KIB, 77), 0, context());
          expectBytes(await readBytes(disk, 0, 64 * KIB), pattern(64 * KIB, 77), 'overwritten');
          await disk.unmap?.(0, offset, context());
          if (disk.unmap) await disk.write?.(pattern(64 * KIB, 78), 64 * KIB, context());
          await closeDisk(disk);
        } finally {
          await release();
        }
      });
    }

    describeRingConformance(subject, openDisk, () => directory);
  });
}
