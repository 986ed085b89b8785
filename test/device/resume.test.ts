import { expect } from 'chai';
import { Device } from '../../src/device/device.js';
import type { Disk } from '../../src/handlers/contract.js';
import { Journal } from '../../src/ring/journal.js';
import * as cdb from '../../src/scsi/cdb.js';
import { CrashingJournalMemory, CrashingRegion, CrashPoint } from '../../src/testing/crash-point.js';
import { EmulatedKernel } from '../../src/testing/emulated-kernel.js';
import { Initiator } from '../../src/testing/initiator.js';

const BLOCK = 512;
const RING = 64 * 1024;

/** Bytes that outlive the process, with verbs that wait until they are let go. */
class Medium {
  readonly bytes = new Uint8Array(1024 * BLOCK);
  writes = 0;
  #gate: Promise<void> | undefined;
  #open: (() => void) | undefined;

  /** From now on verbs do not end; writes are stored at once. */
  hold(): void {
    this.#gate = new Promise((resolve) => (this.#open = resolve));
  }

  letGo(): void {
    this.#open?.();
    this.#gate = undefined;
  }

  /** As the process sees it that this crash point ends. */
  disk(crash: CrashPoint): Disk {
    return {
      size: this.bytes.length,
      read: (buffer, offset) => {
        buffer.set(this.bytes.subarray(offset, offset + buffer.length));
        return this.#gate;
      },
      write: (buffer, offset) => {
        if (crash.dead) return;
        this.writes++;
        this.bytes.set(buffer, offset);
        return this.#gate;
      },
    };
  }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('a device whose process is killed', () => {
  let kernel: EmulatedKernel;
  let medium: Medium;
  let initiator: Initiator;
  let messages: string[];
  let journal: ArrayBuffer;
  let crash: CrashPoint;
  let region: CrashingRegion;
  let closed: number;

  const serve = (identity = 'this boot'): Device => {
    const point = (crash = new CrashPoint());
    region = new CrashingRegion(region === undefined ? kernel.region : kernel.reopen(), crash);
    const write = (message: string): void => {
      if (!point.dead) messages.push(message);
    };
    const device = new Device({
      name: 'user_0/disk1',
      region,
      disk: medium.disk(crash),
      log: { debug: write, info: write, warn: write, error: write },
      journal: {
        journal: new Journal(new CrashingJournalMemory(journal, crash), RING, identity),
        resetRing: () => kernel.resetRing(1),
        close: () => closed++,
      },
    });
    device.start();
    return device;
  };

  const kill = (): void => {
    crash.die();
    region.close();
  };

  beforeEach(async () => {
    kernel = new EmulatedKernel({ ringSize: RING, blockSize: BLOCK });
    region = undefined as unknown as CrashingRegion;
    journal = new ArrayBuffer(Journal.bytesFor(RING));
    medium = new Medium();
    messages = [];
    closed = 0;
    serve();
    initiator = new Initiator(kernel);
    await initiator.readCapacity();
    messages = [];
  });

  it('goes on in the next one, and the initiator sees no error, and no unit attention', async () => {
    await initiator.write(0, new Uint8Array(BLOCK).fill(3));
    medium.hold();
    const write = initiator.write(5, new Uint8Array(2 * BLOCK).fill(7));
    const read = kernel.send({ cdb: cdb.read16(0, 1), dataInLength: BLOCK });
    await turn();
    kill();
    medium.letGo();
    const device = serve();
    await write;
    const { status, dataIn } = await read;
    expect(status).to.equal(0);
    expect(dataIn).to.deep.equal(new Uint8Array(BLOCK).fill(3));
    expect(medium.bytes[5 * BLOCK]).to.equal(7);
    expect((await kernel.send({ cdb: cdb.testUnitReady() })).status).to.equal(0);
    expect(messages).to.deep.equal(['user_0/disk1: going on with 2 unfinished commands']);
    await device.close();
    expect(closed).to.equal(1);
  });

  it('aborts a COMPARE AND WRITE whose outcome is not known, and says so', async () => {
    medium.hold();
    const data = new Uint8Array(2 * BLOCK).fill(9, BLOCK);
    const command = Uint8Array.of(0x89, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0);
    const answer = kernel.send({ cdb: command, dataOut: data });
    await turn();
    kill();
    medium.letGo();
    const { writes } = medium;
    const device = serve();
    const { status, sense } = await answer;
    expect([status, sense[2] & 0x0f, sense[12], sense[13]]).to.deep.equal([2, 0x0b, 0, 0]);
    expect(medium.writes).to.equal(writes);
    expect(messages.join('\n')).to.match(
      /command \d+ \(89 00 .*\) was interrupted, and may not run twice: aborted/,
    );
    // Not of the device that comes next.
    expect((await kernel.send({ cdb: command, dataOut: data })).status).to.equal(0);
    await device.close();
  });

  it('has the ring reset where the journal is another boot’s; the initiator is told BUSY and of a power on', async () => {
    medium.hold();
    const read = kernel.send({ cdb: cdb.read16(0, 1), dataInLength: BLOCK });
    await turn();
    kill();
    medium.letGo();
    const device = serve('another boot');
    expect((await read).status).to.equal(8);
    expect(messages).to.deep.equal([
      'user_0/disk1: the ring was reset, and initiators send their commands again: ' +
        'the journal is of another device, or of another boot',
    ]);
    const { status, sense } = await kernel.send({ cdb: cdb.testUnitReady() });
    expect([status, sense[2] & 0x0f, sense[12]]).to.deep.equal([2, 6, 0x29]);
    await device.close();
  });
});
