import { expect } from 'chai';
import * as cdb from '../../src/scsi/cdb.js';
import type { Disk } from '../../src/scsi/disk.js';
import { failureOf } from '../conformance/support.js';
import { diskWith, pattern, TestDisk } from '../scsi/support/disk.js';
import { Deferred } from '../scsi/support/unit.js';
import { outcome, serve, turns, type Rig } from './support.js';

/** Notes, in order, what becomes of disks that share one content. */
class Shelf {
  readonly events: string[] = [];
  readonly bytes = new Uint8Array(2048 * 512);
  readonly holds: Deferred[] = [];
  /** Reads wait until told. */
  slow = false;

  disk(name: string, properties: Partial<Disk> = {}): Disk {
    const disk = diskWith(new TestDisk(), {
      read: (buffer: Uint8Array, offset: number) => {
        buffer.set(this.bytes.subarray(offset, offset + buffer.length));
        if (!this.slow) return;
        const hold = new Deferred();
        this.holds.push(hold);
        return hold.promise;
      },
      write: (buffer: Uint8Array, offset: number) => this.bytes.set(buffer, offset),
      flush: () => void this.events.push(`flush ${name}`),
      close: () => void this.events.push(`close ${name}`),
      ...properties,
    });
    return disk;
  }

  opener(name: string, properties?: Partial<Disk>): (inherited?: unknown) => Disk {
    return (inherited) => {
      this.events.push(`open ${name}${inherited === undefined ? '' : ` with ${inherited as string}`}`);
      return this.disk(name, properties);
    };
  }
}

describe('Device.replaceDisk', () => {
  let shelf: Shelf;
  let rig: Rig;
  const start = async (properties?: Partial<Disk>, options = {}): Promise<void> => {
    rig = await serve(shelf.disk('old', properties), { reopen: shelf.opener('old', properties), ...options });
  };

  beforeEach(() => (shelf = new Shelf()));
  afterEach(() => rig.device.close(0));

  it('flushes and closes the old disk, then opens the new one, and goes on', async () => {
    await start();
    await rig.initiator.write(3, pattern(512));
    const { stall } = await rig.device.replaceDisk(shelf.opener('new'));
    expect(shelf.events).to.deep.equal(['flush old', 'close old', 'open new']);
    expect(stall).to.be.within(0, 5000);
    expect(rig.device.state).to.equal('serving');
    expect(await rig.initiator.read(3, 1)).to.deep.equal(pattern(512));
    expect(rig.log.lines.join('\n')).to.match(/the disk was replaced; commands waited [\d.]+ ms/);
  });

  it('loses and fails nothing that comes meanwhile', async () => {
    await start();
    const { device, kernel } = rig;
    let done = false;
    const answers: Promise<string>[] = [];
    const feed = (async () => {
      for (let lba = 0; !done; lba = (lba + 1) % 2000) {
        answers.push(
          kernel.send({ cdb: cdb.write10(lba, 1), dataOut: pattern(512, lba) }).then(outcome),
          kernel.send({ cdb: cdb.read10(lba, 1), dataInLength: 512 }).then(outcome),
        );
        if (lba % 8 === 0) await new Promise(setImmediate);
      }
    })();
    for (let round = 0; round < 20; round++) {
      await device.replaceDisk(async (inherited) => {
        await turns(3);
        return shelf.opener(`new ${round}`)(inherited);
      });
    }
    done = true;
    await feed;
    expect(new Set(await Promise.all(answers))).to.deep.equal(new Set(['status 0']));
    expect(answers.length).to.be.above(100);
  });

  it('waits for commands in flight', async () => {
    await start();
    shelf.slow = true;
    const read = rig.kernel.send({ cdb: cdb.read10(0, 1), dataInLength: 512 });
    await turns();
    const replaced = rig.device.replaceDisk(shelf.opener('new'));
    await turns();
    expect(shelf.events).to.deep.equal([]);
    shelf.slow = false;
    shelf.holds[0].resolve();
    expect((await read).status).to.equal(0);
    await replaced;
    expect(shelf.events.at(-1)).to.equal('open new');
  });

  it('gives up where commands take too long, and the old disk serves on', async () => {
    await start();
    shelf.slow = true;
    const read = rig.kernel.send({ cdb: cdb.read10(0, 1), dataInLength: 512 });
    await turns();
    const error = await failureOf(() => rig.device.replaceDisk(shelf.opener('new'), { patience: 20 }));
    expect(error.message).to.match(/1 commands still run after 20 ms/);
    shelf.slow = false;
    shelf.holds[0].resolve();
    expect((await read).status).to.equal(0);
    await rig.initiator.read(0, 1);
    expect(shelf.events).to.deep.equal([]);
  });

  it('with force has what hangs sent again, to the new disk', async function () {
    this.timeout(5000);
    await start();
    shelf.slow = true;
    const read = rig.kernel.send({ cdb: cdb.read10(0, 1), dataInLength: 512 });
    await turns();
    await rig.device.replaceDisk(shelf.opener('new'), { patience: 20, force: true });
    expect(outcome(await read)).to.equal('status 8');
    shelf.slow = false;
    await rig.initiator.read(0, 1);
    // Its verb may still use it.
    expect(shelf.events).not.to.include('close old');
    shelf.holds[0].resolve();
    await turns();
    expect(rig.kernel.keptBuffers).to.deep.equal([]);
  });

  it('opens the old disk again where the new one cannot be opened', async () => {
    await start();
    const error = await failureOf(() =>
      rig.device.replaceDisk(() => {
        shelf.events.push('open new');
        throw new Error('no such file');
      }),
    );
    expect(error.message).to.equal('no such file');
    expect(shelf.events).to.deep.equal(['flush old', 'close old', 'open new', 'open old']);
    await rig.initiator.write(0, pattern(512));
    expect(await rig.initiator.read(0, 1)).to.deep.equal(pattern(512));
  });

  it('opens the old disk again where the new one does not fit, which is closed', async () => {
    await start();
    const error = await failureOf(() => rig.device.replaceDisk(shelf.opener('new', { blockSize: 4096 })));
    expect(error.message).to.match(/blocks of 4096 bytes/);
    expect(shelf.events.slice(-3)).to.deep.equal(['open new', 'close new', 'open old']);
    await rig.initiator.read(0, 1);
  });

  it('opens what served last again, not what served first', async () => {
    await start();
    await rig.device.replaceDisk(shelf.opener('second'));
    await failureOf(() => rig.device.replaceDisk(() => Promise.reject(new Error('no'))));
    expect(shelf.events.at(-1)).to.equal('open second');
  });

  it('does not wait for ever for a disk that does not open, and closes it should it come', async () => {
    await start();
    let arrive!: (disk: Disk) => void;
    const error = await failureOf(() =>
      rig.device.replaceDisk(() => new Promise<Disk>((resolve) => (arrive = resolve)), { openTimeout: 20 }),
    );
    expect(error.message).to.match(/not open after 0\.02 s/);
    arrive(shelf.disk('late'));
    await turns();
    expect(shelf.events.slice(-2)).to.deep.equal(['open old', 'close late']);
  });

  it('has initiators try again later where neither opens, until another one does', async () => {
    let broken = false;
    rig = await serve(shelf.disk('old'), {
      reopen: () => {
        if (broken) throw new Error('gone');
        return shelf.disk('old');
      },
    });
    broken = true;
    await failureOf(() => rig.device.replaceDisk(() => Promise.reject(new Error('no'))));
    const answer = await rig.kernel.send({ cdb: cdb.read10(0, 1), dataInLength: 512 });
    expect(outcome(answer)).to.equal('2/04/01');
    expect(rig.log.lines.join('\n')).to.match(/cannot be opened again either: .*gone/);
    await rig.device.replaceDisk(shelf.opener('new'));
    await rig.initiator.read(0, 1);
  });

  it('gives up where the old disk cannot be flushed', async () => {
    await start({
      flush: () => {
        throw Object.assign(new Error('the medium is gone'), { code: 'EIO' });
      },
    });
    const error = await failureOf(() => rig.device.replaceDisk(shelf.opener('new')));
    expect(error.message).to.equal('the medium is gone');
    expect(shelf.events).to.deep.equal([]);
    await rig.initiator.read(0, 1);
  });

  it('hands over what the old disk wants to survive', async () => {
    await start({ handOver: () => 'treasure' });
    await rig.device.replaceDisk(shelf.opener('new'));
    expect(shelf.events.at(-1)).to.equal('open new with treasure');
  });

  it('gives it back to the old disk where the new one fails', async () => {
    await start({ handOver: () => 'treasure' });
    await failureOf(() => rig.device.replaceDisk(() => Promise.reject(new Error('no'))));
    expect(shelf.events.at(-1)).to.equal('open old with treasure');
  });

  it('opens first and closes then where the old disk could not be opened again', async () => {
    await start(undefined, { reopen: undefined });
    await rig.device.replaceDisk(shelf.opener('new'));
    expect(shelf.events).to.deep.equal(['flush old', 'open new', 'close old']);
  });

  it('leaves a device that was paused paused', async () => {
    await start();
    await rig.device.quiesce();
    await rig.device.replaceDisk(shelf.opener('new'));
    expect(rig.device.state).to.equal('paused');
    rig.device.resume();
    await rig.initiator.read(0, 1);
  });

  it('does one thing after the other: replacements, resizes, and close at last', async () => {
    await start();
    const all = [
      rig.device.replaceDisk(shelf.opener('second')),
      rig.device.replaceDisk(shelf.opener('third')),
      rig.device.close(0),
    ];
    await Promise.all(all);
    expect(shelf.events.filter((event) => !event.startsWith('flush'))).to.deep.equal([
      'close old',
      'open second',
      'close second',
      'open third',
      'close third',
    ]);
    expect((await failureOf(() => rig.device.replaceDisk(shelf.opener('x')))).message).to.match(/closed/);
  });

  it('checks the buffers of the new disk as well', async () => {
    await start(undefined, { checkedBuffers: true });
    let kept: Uint8Array | undefined;
    await rig.device.replaceDisk(shelf.opener('new', { read: (buffer) => void (kept = buffer) }));
    await rig.initiator.read(0, 1);
    expect(kept).to.have.length(0);
  });
});
