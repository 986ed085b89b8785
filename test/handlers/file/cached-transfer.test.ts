import { expect } from 'chai';
import { execFileSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, statfsSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import sinon from 'sinon';
import { CachedTransfer } from '../../../src/handlers/file/cached-transfer.js';
import { residenceOf } from '../../../src/handlers/file/residence.js';
import { AsyncTransfer } from '../../../src/handlers/file/transfer.js';
import { CANNOT_TELL, native, WOULD_WAIT, type NativeBinding } from '../../../src/native/addon.js';
import { expectBytes, failureOf, pattern } from '../../conformance/support.js';
import { FileFixture } from './file-fixture.js';

const PAGES = 16;
const SIZE = PAGES * 4096;

describe('CachedTransfer', () => {
  const fixture = new FileFixture();
  let path: string;
  let fd: number;

  beforeEach(() => {
    path = fixture.path();
    writeFileSync(path, pattern(SIZE, 1));
    fd = openSync(path, 'r+');
  });

  afterEach(() => {
    sinon.restore();
    closeSync(fd);
  });

  const transferOf = (mayTry = true): CachedTransfer =>
    new CachedTransfer(fd, path, new AsyncTransfer(fd, path), mayTry);

  it('answers in the same turn what the kernel has at hand', () => {
    sinon.stub(native(), 'preadNow').callsFake((...args) => native().preadv(...args));
    const found = new Uint8Array(8192);
    expect(transferOf().read(found, 4096)).to.equal(undefined);
    expectBytes(found, pattern(SIZE, 1).subarray(4096, 12288), 'read');
    const halves = [new Uint8Array(512), new Uint8Array(512)];
    expect(transferOf().read(halves, 512)).to.equal(undefined);
    expectBytes(halves[1], pattern(SIZE, 1).subarray(1024, 1536), 'the second');
  });

  const first = (buffers: Uint8Array | readonly Uint8Array[]): Uint8Array =>
    buffers instanceof Uint8Array ? buffers : buffers[0];

  for (const [what, answer] of [
    ['would have to be waited for', () => WOULD_WAIT],
    ['the file system does not tell', () => CANNOT_TELL],
    [
      'is there in part',
      (...[file, buffers, offset]: Parameters<NativeBinding['preadNow']>) =>
        native().preadv(file, first(buffers).subarray(0, 1000), offset),
    ],
  ] as const) {
    it(`reads in a thread what ${what}`, async () => {
      sinon.stub(native(), 'preadNow').callsFake(answer);
      const transfer = transferOf();
      for (const offset of [0, 4096]) {
        const found = new Uint8Array(8192);
        const done = transfer.read(found, offset);
        expect(done).to.be.instanceOf(Promise);
        await done;
        expectBytes(found, pattern(SIZE, 1).subarray(offset, offset + 8192), 'read');
        const pieces = [new Uint8Array(1024), new Uint8Array(512)];
        await transfer.read(pieces, offset);
        expectBytes(pieces[1], pattern(SIZE, 1).subarray(offset + 1024, offset + 1536), 'the second piece');
      }
    });
  }

  it('asks a file system that does not tell only once', async () => {
    const reads = sinon.stub(native(), 'preadNow').returns(CANNOT_TELL);
    const writes = sinon.stub(native(), 'pwriteNow').returns(CANNOT_TELL);
    const transfer = transferOf();
    for (let time = 0; time < 3; time++) {
      await transfer.read(new Uint8Array(512), 0);
      await transfer.write(new Uint8Array(512), 0);
    }
    expect([reads.callCount, writes.callCount]).to.deep.equal([1, 1]);
  });

  it('fails where the file ends inside the disk', async () => {
    truncateSync(path, 4096);
    const error = await failureOf(() => transferOf().read(new Uint8Array(512), 4096));
    expect(error.code).to.equal('EIO');
    expect(error.message).to.contain('truncated');
  });

  it('keeps long transfers out of the event loop', async () => {
    truncateSync(path, 2 ** 20);
    const now = sinon.spy(native(), 'preadNow');
    const written = pattern(2 ** 19, 7);
    const writing = transferOf().write(written, 0);
    expect(writing).to.be.instanceOf(Promise);
    await writing;
    const found = new Uint8Array(2 ** 19);
    await transferOf().read(found, 0);
    expectBytes(found, written, 'read');
    expect(now.called).to.equal(false);
  });

  it('writes in a thread what a file system says must wait, or does not tell of', async () => {
    for (const answer of [WOULD_WAIT, CANNOT_TELL]) {
      const stub = sinon.stub(native(), 'pwriteNow').returns(answer);
      const writing = transferOf(false).write(pattern(512, answer), 0);
      expect(writing).to.be.instanceOf(Promise);
      await writing;
      stub.restore();
      const found = new Uint8Array(512);
      await transferOf().read(found, 0);
      expectBytes(found, pattern(512, answer), 'written');
    }
  });

  it('tries writes, and lets them rest after one that had to wait', async () => {
    const clock = sinon.useFakeTimers({ toFake: ['performance'] });
    sinon.stub(native(), 'pwriteNow').returns(CANNOT_TELL);
    let takes = 0;
    const tried = sinon.stub(native(), 'pwritev').callsFake((file, buffers, offset) => {
      clock.tick(takes);
      return tried.wrappedMethod.call(native(), file, buffers, offset);
    });
    const transfer = transferOf();
    const data = pattern(512, 3);
    const inLoop = async (): Promise<boolean> => {
      const done = transfer.write(data, 0);
      await done;
      return done === undefined;
    };
    expect(await inLoop()).to.equal(true);
    takes = 50;
    expect(await inLoop(), 'the one that waited').to.equal(true);
    expect(await inLoop(), 'afterwards').to.equal(false);
    clock.tick(100);
    expect(await inLoop(), 'rested').to.equal(true);
    clock.tick(100);
    expect(await inLoop(), 'twice as long after the second').to.equal(false);
    takes = 0;
    clock.tick(100);
    expect(await inLoop(), 'rested again').to.equal(true);
    expect(await inLoop(), 'and quick again').to.equal(true);
  });
});

describe('residenceOf', () => {
  const fixture = new FileFixture();

  it('knows tmpfs, and files of usual file systems', function () {
    if (process.getuid?.() !== 0) return this.skip();
    const mountPoint = fixture.path('mnt');
    mkdirSync(mountPoint);
    execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', mountPoint]);
    try {
      expect(residenceOf(mountPoint)).to.equal('memory');
    } finally {
      execFileSync('umount', [mountPoint]);
    }
    if (statfsSync(tmpdir()).type === 0xef53) expect(residenceOf(fixture.image(512))).to.equal('local');
  });

  it('takes nothing for granted', () => {
    expect(residenceOf('/proc/self/mem')).to.equal('unknown');
    expect(residenceOf(fixture.path('missing'))).to.equal('unknown');
  });
});
