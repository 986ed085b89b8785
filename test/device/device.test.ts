import { expect } from 'chai';
import { header, mailbox } from '../../src/ring/abi.js';
import type { RingError } from '../../src/ring/ring-error.js';
import { Device } from '../../src/device/device.js';
import * as cdb from '../../src/scsi/cdb.js';
import type { CommandContext } from '../../src/scsi/disk.js';
import { EmulatedKernel } from '../../src/testing/emulated-kernel.js';
import { diskWith, pattern, TestDisk } from '../scsi/support/disk.js';
import { Deferred } from '../scsi/support/unit.js';
import { outcome, RecordingLog, serve, turns, type Rig } from './support.js';

/** One read that has begun and has not ended. */
interface HeldRead {
  readonly buffer: Uint8Array;
  readonly context: CommandContext;
  /** As it was when the read began: the context itself is used again. */
  readonly signal: AbortSignal;
  readonly done: Deferred;
}

/** A disk whose reads end when told; it notes when it is closed. */
function heldDisk(): { disk: TestDisk; reads: HeldRead[] } {
  const reads: HeldRead[] = [];
  const disk = diskWith(new TestDisk(), {
    read(buffer: Uint8Array, _offset: number, context: CommandContext) {
      const done = new Deferred();
      reads.push({ buffer, context, signal: context.signal, done });
      return done.promise;
    },
    close: () => void disk.calls.push('close'),
  });
  return { disk, reads };
}

const read = (kernel: EmulatedKernel, lba = 0): ReturnType<EmulatedKernel['queue']> =>
  kernel.queue({ cdb: cdb.read10(lba, 1), dataInLength: 512 });

describe('Device', () => {
  let rigs: Rig[] = [];
  const open = async (...parameters: Parameters<typeof serve>): Promise<Rig> => {
    const rig = await serve(...parameters);
    rigs.push(rig);
    return rig;
  };

  afterEach(async () => {
    for (const { device } of rigs) await device.close(0);
    rigs = [];
  });

  it('carries commands from the ring to the disk and back', async () => {
    const { initiator, device, log } = await open(new TestDisk());
    const data = pattern(64 * 512);
    await initiator.write(7, data);
    expect(Buffer.compare(await initiator.read(7, 64), data)).to.equal(0);
    expect(device.state).to.equal('serving');
    expect(device.inFlight).to.equal(0);
    expect(log.lines).to.deep.equal([]);
  });

  it('names itself and the fault where the handler has one', async () => {
    const disk = diskWith(new TestDisk(), {
      read() {
        throw new Error('a bug');
      },
    });
    const { kernel, log } = await open(disk);
    expect(outcome(await read(kernel).done)).to.equal('4/44/00');
    expect(log.lines).to.have.length(1);
    expect(log.lines[0]).to.match(/^error: user_0\/test: READ\(10\) failed: Error: a bug/);
  });

  describe('closing', () => {
    it('answers commands in flight first, then flushes and closes the disk, and unmaps', async () => {
      const { disk, reads } = heldDisk();
      const { kernel, device } = await open(disk);
      const command = read(kernel);
      await turns();
      const closing = device.close();
      expect(device.state).to.equal('closing');
      await turns();
      expect(disk.calls).to.deep.equal([]);
      reads[0].buffer.fill(0x5a);
      reads[0].done.resolve();
      const { status, dataIn } = await command.done;
      expect(status).to.equal(0);
      expect([...dataIn]).to.deep.equal(new Array(512).fill(0x5a));
      await closing;
      expect(device.state).to.equal('closed');
      expect(disk.calls).to.deep.equal(['flush', 'close']);
      expect(kernel.reopen().buffer.byteLength).to.be.above(0);
    });

    it('leaves what comes meanwhile on the ring, for the next one that opens it', async () => {
      const { disk, reads } = heldDisk();
      const { kernel, device } = await open(disk);
      const first = read(kernel, 1);
      await turns();
      const closing = device.close();
      const second = read(kernel, 2);
      await turns();
      expect(reads).to.have.length(1);
      reads[0].done.resolve();
      await first.done;
      await closing;
      expect(kernel.unfinished).to.equal(1);
      const next = new Device({
        name: 'next',
        region: kernel.reopen(),
        disk: new TestDisk(),
        log: new RecordingLog(),
      });
      next.start();
      expect(outcome(await second.done), 'a new unit: first contact').to.equal('6/29/00');
      await next.close();
    });

    it('is one thing, however often it is asked for', async () => {
      const { disk } = heldDisk();
      const { device } = await open(disk);
      await Promise.all([device.close(), device.close()]);
      await device.close();
      expect(disk.calls).to.deep.equal(['flush', 'close']);
    });

    it('tells verbs that outlive the drain to stop', async () => {
      const { disk, reads } = heldDisk();
      const { kernel, device, log } = await open(disk);
      const command = read(kernel);
      await turns();
      reads[0].signal.addEventListener('abort', () =>
        reads[0].done.reject(new DOMException('', 'AbortError')),
      );
      await device.close(1);
      expect(outcome(await command.done)).to.equal('b/00/00');
      expect(log.lines.join()).to.contain('1 commands still running after 1 ms: aborted');
      expect(disk.calls).to.deep.equal(['flush', 'close']);
    });

    it('answers BUSY for verbs that do not listen, and unmaps only when the last one ends', async () => {
      const { disk, reads } = heldDisk();
      const { kernel, device, log } = await open(disk);
      const commands = [read(kernel, 1), read(kernel, 2)];
      await turns();
      await device.close(1);
      for (const command of commands) expect(outcome(await command.done)).to.equal('status 8');
      expect(log.lines.join()).to.contain('2 verbs never ended');
      reads[0].done.resolve();
      await turns();
      expect(() => kernel.reopen()).to.throw('EBUSY');
      expect(disk.calls, 'a verb runs: not closed').to.deep.equal(['flush']);
      // The handler's view is still of memory.
      reads[1].buffer.fill(1);
      expect(reads[1].buffer).to.have.length(512);
      reads[1].done.resolve();
      await turns();
      expect(reads[1].buffer, 'unmapped').to.have.length(0);
      expect(disk.calls).to.deep.equal(['flush', 'close']);
      kernel.reopen();
    });

    it('neither fails nor waits for ever where the disk does', async () => {
      const broken = diskWith(new TestDisk(), {
        flush: () => Promise.resolve().then(() => Promise.reject<void>(undefined as unknown as Error)),
        close: () => new Promise(() => undefined),
      });
      const { device, log } = await open(broken);
      await device.close(1);
      expect(device.state).to.equal('closed');
      expect(log.lines.filter((line) => !line.startsWith('debug'))).to.deep.equal([
        'error: user_0/test: flush of the disk failed: undefined',
        'error: user_0/test: close of the disk did not end within 1 ms',
      ]);
    });

    it('can have flushed before, while commands go on; whoever is closed has not', async () => {
      const { disk } = heldDisk();
      const { device } = await open(disk);
      await device.flush(1000);
      expect([device.state, ...disk.calls]).to.deep.equal(['serving', 'flush']);
      await device.close();
      await device.flush(1000);
      expect(disk.calls).to.deep.equal(['flush', 'flush', 'close']);
    });

    it('does not flush a disk that is read-only', async () => {
      const { disk } = heldDisk();
      const { device } = await open(diskWith(disk, { readOnly: true }));
      await device.close();
      expect(disk.calls).to.deep.equal(['close']);
    });
  });

  describe('with a verb that never settles', () => {
    /** Milliseconds: short, and nothing waits for a given time to pass. */
    const commandTimeout = 40;

    it('aborts it, then answers in its stead and keeps its buffer until it ends', async () => {
      const { disk, reads } = heldDisk();
      const { kernel, log, device } = await open(disk, { commandTimeout });
      const blocks = kernel.freeDataBlocks;
      const command = read(kernel);
      expect(outcome(await command.done)).to.equal('b/2e/02');
      expect(reads[0].signal.aborted).to.equal(true);
      expect(reads[0].signal.reason).to.have.property('name', 'TimeoutError');
      expect(log.lines[0]).to.match(
        /^error: user_0\/test: command \d+ \(28 00 .*\) took longer than 40 ms: aborted$/,
      );
      expect(device.inFlight).to.equal(0);

      expect(kernel.keptBuffers).to.have.length(1);
      expect(kernel.freeDataBlocks).to.equal(blocks - 1);
      reads[0].buffer.fill(1);
      reads[0].done.resolve();
      await turns();
      expect(kernel.keptBuffers).to.deep.equal([]);
      expect(kernel.freeDataBlocks).to.equal(blocks);
      expect(log.lines.at(-1)).to.contain('ended after it had been answered for');
      expect(kernel.broken).to.equal(false);
    });

    it('takes the answer of a verb that listens to its signal', async () => {
      const { disk, reads } = heldDisk();
      const { kernel } = await open(disk, { commandTimeout });
      const command = read(kernel);
      await turns();
      const { signal, done } = reads[0];
      signal.addEventListener('abort', () => done.reject(signal.reason));
      expect(outcome(await command.done)).to.equal('b/2e/02');
      expect(kernel.keptBuffers).to.deep.equal([]);
    });

    it('serves others meanwhile, and after', async () => {
      const { disk, reads } = heldDisk();
      const { kernel, initiator } = await open(disk, { commandTimeout });
      const command = read(kernel);
      await initiator.write(0, new Uint8Array(512));
      await command.done;
      await initiator.write(0, new Uint8Array(512));
      expect(disk.calls).to.deep.equal(['write 0+512', 'write 0+512']);
      reads[0].done.reject(new Error('late, and nobody cares'));
      await turns();
      await initiator.write(0, new Uint8Array(512));
    });

    it('answers in the sense format that was chosen', async () => {
      const { disk } = heldDisk();
      const { kernel, initiator } = await open(disk, { commandTimeout });
      const list = Uint8Array.from(Buffer.from(`000000000a0a061000${'00'.repeat(7)}`, 'hex'));
      await initiator.raw(Uint8Array.of(0x15, 0x10, 0, 0, list.length, 0), { dataOut: list });
      expect((await read(kernel).done).sense[0]).to.equal(0x72);
    });

    it('goes on where the kept buffer cannot be freed', async () => {
      const { disk, reads } = heldDisk();
      const freeKeptBuffer = (): never => {
        throw new Error('EINVAL: no such buffer');
      };
      const { kernel, log, initiator } = await open(disk, { commandTimeout, freeKeptBuffer });
      await read(kernel).done;
      reads[0].done.resolve();
      await turns();
      expect(log.lines.at(-1)).to.match(/buffer of command \d+ not freed: EINVAL: no such buffer/);
      await initiator.testUnitReady();
    });
  });

  describe('changing size', () => {
    function resizable(blocks = 100): TestDisk {
      const disk: TestDisk = diskWith(new TestDisk(blocks), {
        resize: (size: number) => void (disk.size = size),
      });
      return disk;
    }

    it('under I/O tells the initiator, which sees the new capacity', async () => {
      const { disk, reads } = heldDisk();
      const { kernel, device, initiator, log } = await open(
        diskWith(disk, { resize: (size: number) => void (disk.size = size) }),
      );
      const command = read(kernel);
      await turns();
      await device.resize(4096 * 512);
      const told = await kernel.send({ cdb: cdb.testUnitReady() });
      expect(outcome(told)).to.equal('6/2a/09');
      expect(await initiator.readCapacity()).to.include({ blocks: 4096 });
      reads[0].done.resolve();
      expect((await command.done).status).to.equal(0);
      expect(log.lines).to.deep.equal(['info: user_0/test: size changed from 1048576 to 2097152 bytes']);
    });

    it('to the size it has does nothing', async () => {
      const disk = resizable();
      const { kernel, device } = await open(disk);
      await device.resize(disk.size);
      expect((await kernel.send({ cdb: cdb.testUnitReady() })).status).to.equal(0);
    });

    it('refuses sizes that are none, and disks that cannot', async () => {
      const { device } = await open(resizable());
      const failure = (size: number): Promise<unknown> =>
        device.resize(size).catch((error: unknown) => error);
      for (const size of [0, -512, 1000, NaN, 2 ** 60]) {
        expect(await failure(size)).to.be.instanceOf(RangeError);
      }
      const fixed = await open(new TestDisk());
      const error = await fixed.device.resize(512).catch((reason: unknown) => reason);
      expect(error).to.have.property('message').that.contains('cannot change the size');
    });

    it('passes on what the handler says', async () => {
      const disk = diskWith(new TestDisk(), { resize: () => Promise.reject(new Error('no space')) });
      const { device, kernel } = await open(disk);
      expect(await device.resize(512).catch((error: unknown) => error)).to.have.property(
        'message',
        'no space',
      );
      expect((await kernel.send({ cdb: cdb.testUnitReady() })).status).to.equal(0);
    });
  });

  describe('paused', () => {
    it('answers what it has taken, and takes no more until it is resumed', async () => {
      const { disk, reads } = heldDisk();
      const { kernel, device } = await open(disk);
      const first = read(kernel, 1);
      await turns();
      const quiet = device.quiesce();
      const second = read(kernel, 2);
      await turns();
      expect(device.state).to.equal('paused');
      expect(reads).to.have.length(1);
      reads[0].done.resolve();
      await first.done;
      await quiet;
      await turns();
      expect(reads).to.have.length(1);
      device.resume();
      await turns();
      expect(reads).to.have.length(2);
      reads[1].done.resolve();
      expect((await second.done).status).to.equal(0);
      expect(device.state).to.equal('serving');
    });

    it('can be closed', async () => {
      const { disk } = heldDisk();
      const { device } = await open(disk);
      await device.quiesce();
      await device.close();
      device.resume();
      expect(device.state).to.equal('closed');
    });
  });

  it('tells a verb that the initiator aborted its command', async () => {
    const { disk, reads } = heldDisk();
    const { kernel } = await open(disk, {}, { tmrNotification: true });
    const [command, other] = [read(kernel, 1), read(kernel, 2)];
    await turns();
    kernel.abortTask(command);
    await turns();
    expect(reads.map(({ signal }) => signal.aborted)).to.deep.equal([true, false]);
    reads[0].done.reject(reads[0].signal.reason);
    reads[1].done.resolve();
    expect(outcome(await command.done)).to.equal('status 40');
    expect((await other.done).status).to.equal(0);
  });

  describe('on a ring that breaks', () => {
    it('is broken, says so once, and lets those in flight end', async () => {
      const { disk, reads } = heldDisk();
      const errors: RingError[] = [];
      const { kernel, device, log } = await open(disk, { onBroken: (error) => errors.push(error) });
      read(kernel);
      await turns();
      // A command entry of no length.
      const entry = new Uint8Array(header.size);
      new DataView(entry.buffer).setUint32(0, 1, true);
      kernel.injectEntry(entry);
      await turns();
      expect(device.state).to.equal('broken');
      expect(errors.map(({ code }) => code)).to.deep.equal(['BAD_ENTRY']);
      expect(log.lines.join()).to.contain('the device is no longer served');
      reads[0].done.resolve();
      await turns();
      expect(device.inFlight).to.equal(0);
      device.resume();
      expect(device.state).to.equal('broken');
      await device.close();
      expect(device.state).to.equal('closed');
      expect(disk.calls).to.deep.equal(['flush', 'close']);
    });

    it('does not keep others from being served', async () => {
      const broken = await open(new TestDisk());
      const healthy = await open(new TestDisk());
      broken.kernel.queue({ cdb: cdb.testUnitReady() });
      new DataView(broken.kernel.memory).setUint32(mailbox.head, 0xffff_fffc, true);
      await turns();
      expect(broken.device.state).to.equal('broken');
      await healthy.initiator.write(0, new Uint8Array(512));
    });

    it('is broken as well where the device was removed', async () => {
      const { device, kernel } = await open(new TestDisk());
      kernel.removeDevice();
      await turns();
      expect(device.state).to.equal('broken');
    });

    it('is not made of a region without a mailbox', () => {
      const { region } = new EmulatedKernel();
      new DataView(region.buffer).setUint16(0, 7, true);
      const make = (): Device =>
        new Device({ name: 'x', region, disk: new TestDisk(), log: new RecordingLog() });
      expect(make).to.throw('version 7');
    });
  });

  it('detaches private buffers after the verb with checkedBuffers', async () => {
    const kept: Uint8Array[] = [];
    const disk = diskWith(new TestDisk(), {
      write(buffer: Uint8Array, offset: number) {
        kept.push(buffer);
        disk.bytes.set(buffer, offset);
      },
    });
    const { initiator } = await open(disk, { checkedBuffers: true });
    const data = pattern(1024);
    await initiator.write(3, data);
    expect(Buffer.compare(await initiator.read(3, 2), data)).to.equal(0);
    expect(kept.map(({ length }) => length)).to.deep.equal([0]);
  });
});
