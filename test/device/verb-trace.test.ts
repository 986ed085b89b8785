import { expect } from 'chai';
import { VerbTrace } from '../../src/device/verb-trace.js';
import type { CommandContext, Disk } from '../../src/scsi/disk.js';
import { TestDisk } from '../scsi/support/disk.js';
import { Deferred } from '../scsi/support/unit.js';

const context = (): CommandContext => ({ fua: false, dpo: false, signal: new AbortController().signal });

describe('VerbTrace', () => {
  let trace: VerbTrace;
  beforeEach(() => (trace = new VerbTrace()));
  afterEach(() => trace.close());

  const stuck = new Deferred();
  async function askTheServer(): Promise<void> {
    await Promise.resolve();
    await stuck.promise;
  }
  const disk: Disk = {
    size: 512,
    read: async () => {
      await Promise.resolve();
      await askTheServer();
    },
    write: () => undefined,
  };

  it('knows what a verb waits for', async () => {
    const mine = context();
    void trace.wrap(disk).read(new Uint8Array(512), 0, mine);
    for (let turn = 0; turn < 5; turn++) await new Promise(setImmediate);
    const text = trace.describe(mine)!;
    expect(text).to.match(/^in read/);
    expect(text).to.include('askTheServer');
    expect(text).to.include('verb-trace.test');
  });

  it('tells commands apart', () => {
    const [one, other] = [context(), context()];
    const wrapped = trace.wrap(disk);
    void wrapped.read(new Uint8Array(512), 0, one);
    void wrapped.write!(new Uint8Array(512), 0, other);
    expect(trace.describe(one)).to.match(/^in read/);
    expect(trace.describe(other)).to.equal('in write');
    expect(trace.describe(context())).to.equal(undefined);
  });

  it('leaves the disk as it is otherwise', async () => {
    const plain = new TestDisk();
    const wrapped = trace.wrap(plain);
    await wrapped.write!(Uint8Array.of(1, 2), 0, context());
    expect(plain.bytes.subarray(0, 2)).to.deep.equal(Uint8Array.of(1, 2));
    expect(wrapped.size).to.equal(plain.size);
    expect(wrapped).not.to.have.property('unmap');
    trace.close();
    trace.close();
  });
});
