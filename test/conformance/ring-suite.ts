import { expect } from 'chai';
import fc from 'fast-check';
import type { Disk, OpenRequest } from '../../src/handlers/contract.js';
import { readCapacity16 } from '../../src/scsi/cdb.js';
import { decodeSense } from '../../src/scsi/sense-data.js';
import { additionalSense, senseKey } from '../../src/scsi/sense.js';
import { scsiStatus } from '../../src/scsi/status.js';
import type { Initiator } from '../../src/testing/initiator.js';
import type { ConformanceSubject } from './handler-suite.js';
import { expectBytes, pattern, senseOf, serve, type Served } from './support.js';

/*
 * The second level: the same disk behind the logical unit and an emulated TCMU ring, driven by SCSI commands.
 */

const KIB = 1024;
const MIB = 1024 * KIB;

type Command = { lba: number; blocks: number } & (
  | { kind: 'read' }
  | { kind: 'write'; seed: number; fua: boolean }
  | { kind: 'unmap' }
  | { kind: 'writeSame'; seed: number; unmap: boolean }
  | { kind: 'flush' }
);

function commands(blocks: number): fc.Arbitrary<Command[]> {
  const range = fc
    .tuple(fc.integer({ min: 0, max: blocks - 1 }), fc.integer({ min: 1, max: blocks }))
    .map(([lba, count]) => ({ lba, blocks: Math.min(count, blocks - lba) }));
  const kind = fc.oneof(
    fc.record({ kind: fc.constant('read' as const) }),
    fc.record({ kind: fc.constant('write' as const), seed: fc.nat(255), fua: fc.boolean() }),
    fc.record({ kind: fc.constant('unmap' as const) }),
    fc.record({ kind: fc.constant('writeSame' as const), seed: fc.nat(3), unmap: fc.boolean() }),
    fc.record({ kind: fc.constant('flush' as const) }),
  );
  return fc.array(
    fc.tuple(range, kind).map(([where, what]) => ({ ...where, ...what })),
    { minLength: 1, maxLength: 20 },
  );
}

async function apply(
  initiator: Initiator,
  model: Uint8Array,
  blockSize: number,
  command: Command,
  { keepsData = true, without = [] }: ConformanceSubject,
): Promise<void> {
  const { lba, blocks } = command;
  const [start, end] = [lba * blockSize, (lba + blocks) * blockSize];
  switch (command.kind) {
    case 'read':
      expectBytes(
        await initiator.read(lba, blocks),
        model.subarray(start, end),
        `READ of ${blocks} at ${lba}`,
      );
      break;
    case 'write': {
      const data = pattern(end - start, command.seed);
      await initiator.write(lba, data, { fua: command.fua });
      if (keepsData) model.set(data, start);
      break;
    }
    case 'unmap':
      if (without.includes('unmap')) break;
      await initiator.unmap([{ lba, blocks }]);
      model.fill(0, start, end);
      break;
    case 'writeSame': {
      // Seed 0 stands for a block of zeroes, which may unmap.
      const block = command.seed === 0 ? new Uint8Array(blockSize) : pattern(blockSize, command.seed);
      await initiator.writeSame(lba, blocks, block, command.unmap && !without.includes('unmap'));
      for (let at = start; at < end; at += blockSize) if (keepsData) model.set(block, at);
      break;
    }
    case 'flush':
      await initiator.flush();
  }
}

/** Declare the tests; `openDisk` opens a new disk of the subject, in a directory of its own test. */
export function describeRingConformance(
  subject: ConformanceSubject,
  openDisk: (request?: Partial<OpenRequest>, cfgstring?: string) => Promise<Disk>,
  directoryOf: () => string,
): void {
  const { keepsData = true, without = [], full } = subject;

  describe('over the ring', () => {
    const served: Served[] = [];

    afterEach(async () => {
      for (const { device } of served.splice(0)) await device.close();
    });

    async function serveNew(
      request: Partial<OpenRequest>,
      options: Parameters<typeof serve>[1] = {},
      cfgstring?: string,
    ): Promise<Served> {
      const disk = await openDisk(request, cfgstring);
      const one = serve(disk, options, { checkedBuffers: true });
      served.push(one);
      return one;
    }

    it('tells an initiator its size, its block size and whether it is thin', async () => {
      const { initiator } = await serveNew({ size: 8 * MIB, blockSize: 4096 });
      const { blocks, blockSize, thin } = await initiator.readCapacity();
      expect({ blocks, blockSize, thin }).to.deep.equal({
        blocks: 2048,
        blockSize: 4096,
        thin: !without.includes('unmap'),
      });
      expect((await initiator.inquiry()).deviceType).to.equal(0);
    });

    it('agrees with a plain array of bytes over random SCSI commands in scattered buffers', async function () {
      this.timeout(60_000);
      const blocks = 200;
      await fc.assert(
        fc.asyncProperty(commands(blocks), fc.constantFrom(512, 4096), async (sequence, blockSize) => {
          const { initiator, device, kernel } = await serveNew(
            { size: blocks * blockSize, blockSize },
            { fragmented: true, ringSize: 16 * KIB, dataBlocks: 512 },
          );
          await initiator.writeSame(0, blocks);
          const model = new Uint8Array(blocks * blockSize);
          for (const command of sequence) await apply(initiator, model, blockSize, command, subject);
          expectBytes(await initiator.read(0, blocks), model, 'whole disk');
          expect(kernel.unfinished).to.equal(0);
          expect(kernel.freeDataBlocks).to.equal(512);
          await device.close();
        }),
        { numRuns: 15 },
      );
    });

    it('serves a full queue, on a ring and a data area that are too small for it', async () => {
      const { initiator, kernel } = await serveNew({ size: 4 * MIB }, { ringSize: 4 * KIB, dataBlocks: 40 });
      await initiator.testUnitReady();
      const count = 64;
      const data = Array.from({ length: count }, (_, index) => pattern(64 * KIB, index));
      await Promise.all(data.map((bytes, index) => initiator.write(index * 128, bytes)));
      const found = await Promise.all(data.map((_, index) => initiator.read(index * 128, 128)));
      found.forEach((bytes, index) =>
        expectBytes(bytes, keepsData ? data[index] : new Uint8Array(64 * KIB), `command ${index}`),
      );
      expect(kernel.queued).to.equal(0);
      expect(kernel.broken).to.equal(false);
    });

    it('refuses blocks beyond its end', async () => {
      const { initiator } = await serveNew({ size: MIB });
      const beyond = { key: senseKey.illegalRequest, code: additionalSense.lbaOutOfRange };
      expect(await senseOf(() => initiator.read(2047, 2))).to.deep.equal(beyond);
      expect(await senseOf(() => initiator.write(2048, new Uint8Array(512)))).to.deep.equal(beyond);
      expect((await initiator.read(2047, 1)).length).to.equal(512);
    });

    if (!without.includes('resize')) {
      it('tells an initiator that its size was changed', async () => {
        const { initiator, device, kernel } = await serveNew({ size: MIB });
        await initiator.testUnitReady();
        await device.resize(2 * MIB);
        const { status, sense } = await kernel.send({ cdb: readCapacity16(), dataInLength: 32 });
        expect(status).to.equal(scsiStatus.checkCondition);
        expect(decodeSense(sense)).to.include({
          key: senseKey.unitAttention,
          code: additionalSense.capacityDataHasChanged,
        });
        expect((await initiator.readCapacity()).blocks).to.equal(4096);
        const bytes = pattern(512, 1);
        await initiator.write(4095, bytes);
        expectBytes(await initiator.read(4095, 1), keepsData ? bytes : new Uint8Array(512), 'last block');
      });
    }

    if (full) {
      it('tells an initiator that it is full, and goes on serving', async () => {
        const { cfgstring, release } = await full(directoryOf());
        try {
          const { initiator, device } = await serveNew({ size: 16 * MIB }, {}, cfgstring);
          const sense = await senseOf(async () => {
            for (let lba = 0; lba < 8192; lba += 128)
              await initiator.write(lba, pattern(64 * KIB, lba & 255));
          });
          expect(sense).to.deep.equal({
            key: senseKey.dataProtect,
            code: additionalSense.spaceAllocationFailedWriteProtect,
          });
          expectBytes(await initiator.read(0, 128), pattern(64 * KIB, 0), 'written before');
          await device.close();
        } finally {
          await release();
        }
      });
    }

    it('answers every command that is in flight when it is closed', async () => {
      const { initiator, device, kernel } = await serveNew({ size: 4 * MIB });
      await initiator.readCapacity();
      const writes = Array.from({ length: 32 }, (_, index) =>
        initiator.write(index * 128, pattern(64 * KIB, index)),
      );
      // Comes after all of them on the ring, so they are in flight, or done, when it is done.
      await initiator.testUnitReady();
      await device.close();
      await Promise.all(writes);
      expect(kernel.unfinished).to.equal(0);
    });
  });
}
