import { expect } from 'chai';
import { threadClock } from '../../src/ring/clock.js';
import fc from 'fast-check';
import type { TraceBatch, TracedCommand } from '../../src/device/command-trace.js';
import { DeviceStatistics, type CountedCommand } from '../../src/device/statistics.js';
import * as cdb from '../../src/scsi/cdb.js';
import { encodeSense } from '../../src/scsi/sense-data.js';
import { additionalSense, senseKey } from '../../src/scsi/sense.js';
import { scsiStatus } from '../../src/scsi/status.js';
import { diskWith, pattern, TestDisk } from '../scsi/support/disk.js';
import { Deferred } from '../scsi/support/unit.js';
import { outcome, serve, type Rig } from './support.js';

const command = (bytes: number[], transferLength = 0): CountedCommand => ({
  cdb: Uint8Array.from({ length: 260 }, (_, at) => bytes[at] ?? 0),
  transferLength,
  startedAt: Number.NaN,
});

const clock = threadClock();

describe('DeviceStatistics', () => {
  it('tells reads, writes and unmaps apart, in all lengths of CDB', () => {
    const statistics = new DeviceStatistics();
    const variableLength = (action: number): number[] => [0x7f, 0, 0, 0, 0, 0, 0, 0x18, 0, action];
    const reads = [[0x08], [0x28], [0xa8], [0x88], variableLength(0x09)];
    const writes = [[0x0a], [0x2a], [0xaa], [0x8a], [0x89], [0x41], [0x93], variableLength(0x0b)];
    const others = [[0x00], [0x12], [0x25], [0x2f], [0x35], [0x9e, 0x10], [0xa3, 0x0c], [0xff]];
    for (const bytes of [...reads, ...writes, ...others, [0x42]]) {
      statistics.completed(command(bytes, 512), scsiStatus.good, undefined);
    }
    expect(statistics.snapshot()).to.deep.include({
      commands: reads.length + writes.length + others.length + 1,
      reads: reads.length,
      readBytes: reads.length * 512,
      writes: writes.length,
      writtenBytes: writes.length * 512,
      unmaps: 1,
      errors: 0,
    });
  });

  it('counts errors by sense key in both formats of sense data, and the handler’s own among them', () => {
    const statistics = new DeviceStatistics();
    const fail = (key: number, code: number, format: 'fixed' | 'descriptor'): void => {
      const sense = encodeSense(key, code, {}, format);
      statistics.completed(command([0x28], 512), scsiStatus.checkCondition, sense);
    };
    for (const format of ['fixed', 'descriptor'] as const) {
      fail(senseKey.mediumError, additionalSense.unrecoveredReadError, format);
      fail(senseKey.hardwareError, additionalSense.internalTargetFailure, format);
      fail(senseKey.hardwareError, additionalSense.commandTimeoutDuringProcessing, format);
    }
    statistics.completed(command([0x28]), scsiStatus.busy, undefined);
    statistics.completed(command([0x34]), scsiStatus.conditionMet, undefined);
    const counters = statistics.snapshot();
    expect(counters).to.deep.include({ commands: 8, errors: 7, handlerErrors: 2, readBytes: 0 });
    expect(counters.senseKeys[senseKey.mediumError]).to.equal(2);
    expect(counters.senseKeys[senseKey.hardwareError]).to.equal(4);
  });

  it('measures about one command in sixteen, or every one', () => {
    const statistics = new DeviceStatistics();
    const one = command([0x28]);
    const run = (count: number): void => {
      for (let at = 0; at < count; at++) {
        statistics.started(one);
        statistics.completed(one, scsiStatus.good, undefined);
      }
    };
    run(16_000);
    const { samples, buckets } = statistics.snapshot().latency;
    expect(samples).to.be.within(800, 1300);
    expect(buckets.reduce((sum, count) => sum + count)).to.equal(samples);
    statistics.measureAll = true;
    run(1000);
    expect(statistics.snapshot().latency.samples).to.equal(samples + 1000);
  });

  it('puts a latency into the bucket whose bounds it lies between', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 40_000_000 }), (milliseconds) => {
        const statistics = new DeviceStatistics();
        clock.read();
        const one = { ...command([0x28]), startedAt: clock.time[0] - milliseconds / 1000 };
        statistics.completed(one, scsiStatus.good, undefined);
        const microseconds = statistics.lastLatency;
        const bucket = statistics.snapshot().latency.buckets.indexOf(1);
        expect(microseconds).to.be.lessThan(2 ** bucket);
        if (bucket > 0) expect(microseconds).to.be.at.least(2 ** (bucket - 1));
      }),
    );
  });

  it('never fails, whatever the command and its sense data are', () => {
    const statistics = new DeviceStatistics();
    fc.assert(
      fc.property(
        fc.uint8Array(),
        fc.nat(255),
        fc.option(fc.uint8Array(), { nil: undefined }),
        (bytes, status, sense) => {
          statistics.completed(command([...bytes]), status, sense);
        },
      ),
    );
  });
});

describe('a device', () => {
  let rig: Rig;
  afterEach(() => rig.device.close(0));

  it('counts what comes over its ring', async () => {
    rig = await serve(
      diskWith(new TestDisk(), {
        flush() {
          throw new Error('a bug');
        },
      }),
    );
    const { device, initiator, kernel } = rig;
    await initiator.readCapacity();
    const before = device.statistics.snapshot();
    await initiator.write(0, pattern(8 * 512));
    await initiator.read(0, 8);
    await initiator.read(0, 4);
    await kernel.send({ cdb: cdb.read10(1 << 20, 1), dataInLength: 512 });
    await kernel.send({ cdb: Uint8Array.of(0x35, 0, 0, 0, 0, 0, 0, 0, 0, 0) });
    const now = device.statistics.snapshot();
    expect(now).to.deep.include({
      commands: before.commands + 5,
      reads: 3,
      readBytes: 12 * 512,
      writes: 1,
      writtenBytes: 8 * 512,
      errors: before.errors + 2,
      handlerErrors: 1,
      timeouts: 0,
    });
    expect(now.senseKeys[senseKey.illegalRequest]).to.equal(1);
  });

  it('counts a command that is answered in its handler’s stead, once', async () => {
    const held = new Deferred();
    rig = await serve(diskWith(new TestDisk(), { read: () => held.promise }), { commandTimeout: 40 });
    const before = rig.device.statistics.snapshot();
    expect(outcome(await rig.kernel.send({ cdb: cdb.read10(0, 1), dataInLength: 512 }))).to.equal('b/2e/02');
    held.resolve();
    await held.promise;
    const now = rig.device.statistics.snapshot();
    expect(now).to.deep.include({ commands: before.commands + 1, reads: 1, readBytes: 0, timeouts: 1 });
  });

  describe('that is traced', () => {
    /** Trace until `enough` commands came or the device is closed. */
    async function traced(enough: number, work: () => Promise<unknown>): Promise<TraceBatch[]> {
      const batches: TraceBatch[] = [];
      let stop = (): void => undefined;
      let count = 0;
      const done = new Promise<void>((resolve) => {
        stop = rig.device.trace((batch) => {
          batches.push(batch);
          count += batch.commands.length + batch.dropped;
          if (batch.ended || count >= enough) resolve();
        });
      });
      await work();
      await done;
      stop();
      return batches;
    }
    const commandsOf = (batches: TraceBatch[]): TracedCommand[] =>
      batches.flatMap(({ commands }) => commands);

    it('tells CDB, name, outcome, latency and bytes of each command', async () => {
      rig = await serve(new TestDisk());
      await rig.initiator.readCapacity();
      const batches = await traced(3, async () => {
        await rig.initiator.read(3, 8);
        await rig.kernel.send({ cdb: cdb.read10(1 << 20, 1), dataInLength: 512 });
        await rig.kernel.send({ cdb: Uint8Array.of(0xee, 1, 2, 3, 4, 5) });
      });
      const [read, beyond, unknown] = commandsOf(batches);
      expect(read).to.deep.include({ status: 0, bytes: 4096 });
      expect(read.name).to.match(/^READ\(1[06]\)$/);
      expect(read.microseconds).to.be.within(0.1, 5e6);
      expect(read.time).to.be.closeTo(Date.now(), 60_000);
      expect(read).not.to.have.property('sense');
      expect(beyond).to.deep.include({ name: 'READ(10)', cdb: '28000010000000000100', status: 2 });
      expect(beyond.sense).to.match(/^7[02]/);
      expect(unknown).to.deep.include({ name: 'unknown', status: 2 });
    });

    it('leaves out what comes too fast, and tells how much', async () => {
      rig = await serve(new TestDisk());
      const batches = await traced(3000, () =>
        Promise.all(
          Array.from({ length: 3000 }, () => rig.kernel.send({ cdb: cdb.read10(0, 1), dataInLength: 512 })),
        ),
      );
      for (const { commands } of batches) expect(commands.length).to.be.at.most(1024);
      const dropped = batches.reduce((sum, batch) => sum + batch.dropped, 0);
      expect(commandsOf(batches).length + dropped).to.equal(3000);
    });

    it('tells the last one when it is closed', async () => {
      rig = await serve(new TestDisk());
      await rig.initiator.readCapacity();
      const batches = await traced(Number.POSITIVE_INFINITY, async () => {
        await rig.initiator.read(0, 1);
        await rig.device.close();
      });
      expect(commandsOf(batches)).to.have.length(1);
      expect(batches.at(-1)?.ended).to.equal(true);
    });

    it('measures a sample again when nobody looks any more', async () => {
      rig = await serve(new TestDisk());
      const stops = [rig.device.trace(() => undefined), rig.device.trace(() => undefined)];
      stops[0]();
      expect(rig.device.statistics.measureAll).to.equal(true);
      stops[1]();
      expect(rig.device.statistics.measureAll).to.equal(false);
    });
  });
});
