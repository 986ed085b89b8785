import { expect } from 'chai';
import * as cdb from '../../src/scsi/cdb.js';
import type { CommandContext, Hold } from '../../src/scsi/disk.js';
import { diskWith, pattern, TestDisk } from '../scsi/support/disk.js';
import { Deferred } from '../scsi/support/unit.js';
import { outcome, serve, turns, type Rig } from './support.js';

describe('a buffer that is held', () => {
  let rig: Rig;
  let held: { buffer: Uint8Array; hold: Hold }[];
  const disk = (): TestDisk =>
    diskWith(new TestDisk(), {
      write(buffer: Uint8Array, _offset: number, { hold }: CommandContext) {
        if (hold) held.push({ buffer, hold: hold() });
      },
    });
  const write = (seed: number): Promise<string> =>
    rig.kernel.send({ cdb: cdb.write10(0, 1), dataOut: pattern(512, seed) }).then(outcome);

  beforeEach(() => (held = []));
  afterEach(() => rig.device.close(0));

  it('outlives its command, and is given back when it is released', async () => {
    rig = await serve(disk());
    const free = rig.kernel.freeDataBlocks;
    expect(await write(1)).to.equal('status 0');
    expect(rig.device.inFlight).to.equal(0);
    expect(rig.kernel.keptBuffers).to.have.length(1);
    // Others come and go in other memory.
    for (let seed = 2; seed < 6; seed++) await write(seed);
    held.forEach(({ buffer }, index) => expect(buffer).to.deep.equal(pattern(512, index + 1)));
    for (const { hold } of held) hold.release();
    expect(rig.kernel.keptBuffers).to.deep.equal([]);
    expect(rig.kernel.freeDataBlocks).to.equal(free);
  });

  it('is not kept where it is released before the verb is done', async () => {
    rig = await serve(
      diskWith(new TestDisk(), {
        write: (_buffer: Uint8Array, _offset: number, { hold }: CommandContext) => hold?.().release(),
      }),
    );
    expect(await write(1)).to.equal('status 0');
    expect(rig.kernel.keptBuffers).to.deep.equal([]);
  });

  it('is not offered where nobody can free it', async () => {
    rig = await serve(disk(), { freeKeptBuffer: undefined });
    expect(await write(1)).to.equal('status 0');
    expect(held).to.deep.equal([]);
    expect(rig.kernel.keptBuffers).to.deep.equal([]);
  });

  it('with checked buffers can be used until it is released, and no longer', async () => {
    rig = await serve(disk(), { checkedBuffers: true });
    await write(1);
    expect(held[0].buffer).to.deep.equal(pattern(512, 1));
    held[0].hold.release();
    expect(held[0].buffer).to.have.length(0);
    held[0].hold.release();
    expect(rig.kernel.keptBuffers).to.deep.equal([]);
  });

  it('of a command that was answered for is kept until verb and hold have ended', async () => {
    const done = new Deferred();
    rig = await serve(
      diskWith(new TestDisk(), {
        write(buffer: Uint8Array, _offset: number, { hold }: CommandContext) {
          held.push({ buffer, hold: hold!() });
          return done.promise;
        },
      }),
      { commandTimeout: 16 },
    );
    expect(await write(1)).to.equal('b/2e/02');
    expect(rig.kernel.keptBuffers).to.have.length(1);
    done.resolve();
    await turns();
    expect(rig.kernel.keptBuffers).to.have.length(1);
    held[0].hold.release();
    expect(rig.kernel.keptBuffers).to.deep.equal([]);
  });

  it('may be released after the device was closed, which freed it', async () => {
    rig = await serve(disk());
    await write(1);
    await rig.device.close();
    held[0].hold.release();
    expect(held[0].buffer).to.have.length(0);
    expect(rig.log.lines.filter((line) => line.startsWith('error'))).to.deep.equal([]);
  });
});
