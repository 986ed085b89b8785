import { expect } from 'chai';
import { checkedDisk } from '../../src/device/checked-disk.js';
import type { CommandContext, Disk } from '../../src/scsi/disk.js';
import { diskWith, pattern, TestDisk, ThinDisk } from '../scsi/support/disk.js';
import { Deferred } from '../scsi/support/unit.js';

const context: CommandContext = { fua: false, dpo: false, signal: new AbortController().signal };

/** A disk with every verb that is given data; it keeps what it was given, as no handler may. */
function keeper(): { disk: TestDisk; kept: Uint8Array[] } {
  const kept: Uint8Array[] = [];
  const disk = diskWith(new TestDisk(), {
    read(buffer: Uint8Array, offset: number) {
      kept.push(buffer);
      buffer.set(disk.bytes.subarray(offset, offset + buffer.length));
    },
    write(buffer: Uint8Array, offset: number) {
      kept.push(buffer);
      disk.bytes.set(buffer, offset);
    },
    readv(buffers: readonly Uint8Array[]) {
      kept.push(...buffers);
      buffers.forEach((buffer, index) => buffer.fill(index + 1));
    },
    async writev(buffers: readonly Uint8Array[]) {
      kept.push(...buffers);
      buffers.forEach((buffer) => buffer.fill(0xee));
    },
    compareAndWrite(compare: Uint8Array, write: Uint8Array) {
      kept.push(compare, write);
      return Promise.resolve(compare[0] === write[0] ? -1 : 0);
    },
    command(cdb: Uint8Array, dataOut: Uint8Array, dataIn: Uint8Array) {
      kept.push(cdb, dataOut, dataIn);
      dataIn.fill(cdb[1]);
      return dataIn.length;
    },
  });
  return { disk, kept };
}

describe('checkedDisk', () => {
  it('gives each verb what it would get, and its answer to the caller', async () => {
    const { disk } = keeper();
    const checked = checkedDisk(disk);
    const data = pattern(1024);
    await checked.write!(data, 512, context);
    const found = new Uint8Array(1024);
    expect(checked.read(found, 512, context)).to.equal(undefined);
    expect(Buffer.compare(found, data)).to.equal(0);
    const list = [new Uint8Array(2), new Uint8Array(3)];
    await checked.readv!(list, 0, context);
    expect(list.map((buffer) => [...buffer])).to.deep.equal([
      [1, 1],
      [2, 2, 2],
    ]);
    expect(await checked.compareAndWrite!(Uint8Array.of(1), Uint8Array.of(1), 0, context)).to.equal(-1);
    const dataIn = new Uint8Array(4);
    expect(checked.command!(Uint8Array.of(0xc0, 9), new Uint8Array(), dataIn, context)).to.equal(4);
    expect([...dataIn]).to.deep.equal([9, 9, 9, 9]);
  });

  it('detaches every buffer when its verb is done', async () => {
    const { disk, kept } = keeper();
    const checked = checkedDisk(disk);
    const buffer = new Uint8Array(512);
    await checked.read(buffer, 0, context);
    await checked.write!(buffer, 0, context);
    await checked.readv!([buffer, buffer], 0, context);
    await checked.writev!([buffer], 0, context);
    await checked.compareAndWrite!(buffer, buffer, 0, context);
    await checked.command!(buffer, buffer, buffer, context);
    expect(kept).to.have.length(10);
    for (const copy of kept) expect(copy.buffer.byteLength).to.equal(0);
    expect(buffer, 'the caller’s own is not').to.have.length(512);
  });

  it('leaves the caller’s data alone where the verb writes into what it should store', async () => {
    const { disk } = keeper();
    const data = [pattern(16), pattern(16, 2)];
    await checkedDisk(disk).writev!(data, 0, context);
    expect(data.map((bytes) => [...bytes])).to.deep.equal([[...pattern(16)], [...pattern(16, 2)]]);
  });

  it('waits for an asynchronous verb', async () => {
    const done = new Deferred();
    let kept!: Uint8Array;
    const disk = diskWith(new TestDisk(), {
      read(buffer: Uint8Array) {
        kept = buffer;
        return done.promise;
      },
    });
    const buffer = new Uint8Array(512);
    const answer = checkedDisk(disk).read(buffer, 0, context);
    kept.fill(7);
    expect(buffer[0], 'private until it is done').to.equal(0);
    done.resolve();
    await answer;
    expect(buffer[511]).to.equal(7);
    expect(kept).to.have.length(0);
  });

  it('detaches after a failure too, and passes it on', async () => {
    const kept: Uint8Array[] = [];
    const failing = (result: () => Promise<void>): Disk =>
      checkedDisk(
        diskWith(new TestDisk(), {
          read(buffer: Uint8Array) {
            kept.push(buffer.fill(9));
            return result();
          },
        }),
      );
    const buffer = new Uint8Array(512);
    const throws = failing(() => {
      throw new Error('at once');
    });
    expect(() => throws.read(buffer, 0, context)).to.throw('at once');
    const rejects = failing(() => Promise.reject(new Error('later')));
    const error = await Promise.resolve(rejects.read(buffer, 0, context)).catch((reason: unknown) => reason);
    expect(error).to.have.property('message', 'later');
    expect(kept.map(({ length }) => length)).to.deep.equal([0, 0]);
    expect(
      buffer.every((byte) => byte === 0),
      'a failed read leaves nothing',
    ).to.equal(true);
  });

  it('copies a Buffer, whose slice() would be the same memory', async () => {
    const data = Buffer.from('some text that lies in the pool of all small buffers');
    const { disk, kept } = keeper();
    await checkedDisk(disk).write!(data, 0, context);
    expect(kept[0]).to.have.length(0);
    expect(data.toString()).to.contain('some text');
  });

  it('shows capabilities and size as they are, and has no verb that the disk has not', async () => {
    const disk = new ThinDisk(100);
    const checked = checkedDisk(disk);
    expect(['writev', 'command', 'close'].map((verb) => Reflect.get(checked, verb) as unknown)).to.deep.equal(
      [undefined, undefined, undefined],
    );
    expect('unmap' in checked).to.equal(true);
    disk.size = 512;
    expect(checked.size).to.equal(512);
    disk.bytes.fill(1);
    await checked.unmap!(0, 512, context);
    expect(disk.bytes[0], 'other verbs are the disk’s, with its `this`').to.equal(0);
  });
});
