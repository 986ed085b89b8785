import { expect } from 'chai';
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { context, expectBytes, failureOf, pattern, quietLog } from '../../conformance/support.js';
import { FileFixture } from './file-fixture.js';

const MIB = 2 ** 20;

describe('file handler: what an administrator may ask for', () => {
  const fixture = new FileFixture();

  const messageOf = async (cfgstring: string): Promise<string> =>
    (await failureOf(() => fixture.check(cfgstring))).message;

  it('refuses a missing file unless it may create it, and creates nothing to find out', async () => {
    expect(await messageOf(fixture.path()))
      .to.contain(fixture.path())
      .and.contain('add create=1');
    await fixture.check(`${fixture.path()}?create=1&size=1M`);
    expect(existsSync(fixture.path())).to.equal(false);
  });

  it('refuses a relative path', async () => {
    expect(await messageOf('disk.img')).to.match(/^file: path: must be absolute/);
  });

  it('refuses directories, FIFOs, character devices and loops of links', async () => {
    expect(await messageOf(fixture.directory)).to.contain('is a directory');
    execFileSync('mkfifo', [fixture.path('fifo')]);
    expect(await messageOf(fixture.path('fifo'))).to.contain('neither a file nor a block device');
    expect(await messageOf('/dev/null')).to.contain('neither a file nor a block device');
    symlinkSync('loop', fixture.path('loop'));
    expect(await messageOf(fixture.path('loop'))).to.contain('loop of symbolic links');
  });

  it('refuses a path that leads through a file or to no directory', async () => {
    fixture.image(MIB);
    expect(await messageOf(`${fixture.path()}/disk`)).to.contain('not a directory');
    expect(await messageOf(`${fixture.path('none/disk')}?create=1`)).to.contain('there is no directory');
  });

  it('refuses a size the file does not have unless it may grow it', async () => {
    fixture.image(MIB);
    expect(await messageOf(`${fixture.path()}?size=2M`))
      .to.contain('has 1 MiB, 2 MiB are asked for')
      .and.contain('truncate -s 2097152');
    await fixture.check(`${fixture.path()}?size=2M&create=1`);
    await fixture.check(`${fixture.path()}?size=512K`);
    expect(statSync(fixture.path()).size).to.equal(MIB);
  });

  it('refuses options that contradict each other', async () => {
    fixture.image(MIB);
    expect(await messageOf(`${fixture.path()}?direct=1&io=sync`)).to.contain('exclude each other');
    expect(await messageOf(`${fixture.path()}?create=1&readonly=1`)).to.contain('exclude each other');
    expect(await messageOf(`${fixture.path()}?io=fast`)).to.match(/^file: io: /);
  });

  it('refuses what it may not open, as the user it runs as', async function () {
    if (process.getuid?.() !== 0) return this.skip();
    fixture.image(MIB);
    execFileSync('chmod', ['755', fixture.directory]);
    execFileSync('chmod', ['444', fixture.path()]);
    process.seteuid!(65534);
    try {
      // access(2) asks about the real user, open(2) about the effective one: either must be told apart.
      expect((await failureOf(() => fixture.open(fixture.path()))).message).to.contain('permission denied');
    } finally {
      process.seteuid!(0);
    }
  });

  it('refuses a read-only file system unless it is to be read only', async function () {
    if (process.getuid?.() !== 0) return this.skip();
    const mountPoint = fixture.path('mnt');
    mkdirSync(mountPoint);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', mountPoint]);
    try {
      fixture.image(4096, 'mnt/disk.img');
      execFileSync('mount', ['-o', 'remount,ro', mountPoint]);
      expect(await messageOf(`${mountPoint}/disk.img`)).to.contain('add readonly=1');
      expect(await messageOf(`${mountPoint}/new.img?create=1`)).to.contain('read-only');
      await fixture.check(`${mountPoint}/disk.img?readonly=1`);
    } finally {
      execFileSync('umount', [mountPoint]);
    }
  });
});

describe('file handler: opening', () => {
  const fixture = new FileFixture();

  it('creates a file of the size asked for, which only its owner may read', async () => {
    const disk = await fixture.open(`${fixture.path()}?create=1`, { size: 3 * MIB });
    expect(disk.size).to.equal(3 * MIB);
    const { size, blocks, mode } = statSync(fixture.path());
    expect(size).to.equal(3 * MIB);
    expect(blocks).to.equal(0);
    expect(mode & 0o777).to.equal(0o600);
  });

  it('leaves no file behind where it cannot create a disk', async () => {
    const error = await failureOf(() => fixture.open(`${fixture.path()}?create=1`));
    expect(error.message).to.contain('without a size');
    await failureOf(() => fixture.open(`${fixture.path()}?create=1&direct=1`, { size: 2 ** 52 }));
    expect(readdirSync(fixture.directory)).to.deep.equal([]);
  });

  it("takes the file's size where none is asked for, in whole blocks", async () => {
    fixture.image(MIB + 700);
    expect((await fixture.open(fixture.path())).size).to.equal(MIB + 512);
    expect((await fixture.open(`${fixture.path()}?block_size=4K`)).size).to.equal(MIB);
  });

  it('exposes the beginning of a longer file and says so', async () => {
    fixture.image(2 * MIB);
    const said: string[] = [];
    const log = { ...quietLog, info: (message: string) => said.push(message) };
    expect((await fixture.open(fixture.path(), { size: MIB, log })).size).to.equal(MIB);
    expect(said.join()).to.contain('of 2097152 bytes the first 1048576');
    expect(statSync(fixture.path()).size).to.equal(2 * MIB);
  });

  it('grows a shorter file with create=1 only, and keeps its data', async () => {
    writeFileSync(fixture.path(), pattern(MIB, 1));
    const error = await failureOf(() => fixture.open(fixture.path(), { size: 2 * MIB }));
    expect(error.message).to.contain('add create=1');
    const disk = await fixture.open(`${fixture.path()}?create=1`, { size: 2 * MIB });
    expect(disk.size).to.equal(2 * MIB);
    expectBytes(readFileSync(fixture.path()).subarray(0, MIB), pattern(MIB, 1), 'old data');
  });

  it('refuses an empty file without a size', async () => {
    fixture.image(0);
    expect((await failureOf(() => fixture.open(fixture.path()))).message).to.contain('is empty');
  });

  it('opens read-only, and says so to the logical unit', async () => {
    writeFileSync(fixture.path(), pattern(MIB, 2));
    const disk = await fixture.open(`${fixture.path()}?readonly=1`);
    expect(disk.readOnly).to.equal(true);
    const buffer = new Uint8Array(4096);
    await disk.read(buffer, 8192, context());
    expectBytes(buffer, pattern(MIB, 2).subarray(8192, 12288), 'read');
    expect((await failureOf(() => disk.write?.(buffer, 0, context()))).message).to.contain(fixture.path());
    expect((await failureOf(() => disk.resize?.(2 * MIB))).message).to.contain('read-only');
    await disk.resize?.(MIB / 2);
    expect(disk.size).to.equal(MIB / 2);
  });

  it('closes its descriptor, also where opening fails', async () => {
    const descriptors = (): number => readdirSync('/proc/self/fd', { withFileTypes: true }).length;
    fixture.image(MIB);
    const before = descriptors();
    await failureOf(() => fixture.open(fixture.path(), { size: 2 * MIB }));
    const disk = await fixture.open(fixture.path());
    expect(descriptors()).to.equal(before + 1);
    await disk.close?.();
    expect(descriptors()).to.equal(before);
  });
});

for (const io of ['auto', 'async', 'sync']) {
  describe(`file handler, io=${io}: a file that changes underneath`, () => {
    const fixture = new FileFixture();

    it('answers EIO where it was truncated, and goes on with the rest', async () => {
      writeFileSync(fixture.path(), pattern(MIB, 3));
      const disk = await fixture.open(`${fixture.path()}?io=${io}`);
      truncateSync(fixture.path(), MIB / 2);
      for (const [offset, length] of [
        [MIB / 2, 4096],
        [MIB / 2 - 4096, 8192],
      ]) {
        const error = await failureOf(() => disk.read(new Uint8Array(length), offset, context()));
        expect(error.code).to.equal('EIO');
        expect(error.message)
          .to.contain(`${fixture.path()} ends at byte ${MIB / 2}`)
          .and.contain('truncated');
      }
      const buffer = new Uint8Array(4096);
      await disk.read(buffer, MIB / 2 - 4096, context());
      expectBytes(buffer, pattern(MIB, 3).subarray(MIB / 2 - 4096, MIB / 2), 'still there');
    });

    it('serves a file the administrator made longer, after resize', async () => {
      fixture.image(MIB);
      const disk = await fixture.open(`${fixture.path()}?io=${io}`);
      truncateSync(fixture.path(), 2 * MIB);
      expect(disk.size).to.equal(MIB);
      await disk.resize?.(2 * MIB);
      expect(disk.size).to.equal(2 * MIB);
      await disk.write?.(pattern(4096, 4), 2 * MIB - 4096, context());
      expectBytes(readFileSync(fixture.path()).subarray(2 * MIB - 4096), pattern(4096, 4), 'new end');
    });

    it('never truncates data away', async () => {
      writeFileSync(fixture.path(), pattern(MIB, 5));
      const disk = await fixture.open(`${fixture.path()}?io=${io}`);
      await disk.resize?.(4096);
      expect(disk.size).to.equal(4096);
      expectBytes(readFileSync(fixture.path()), pattern(MIB, 5), 'file');
      await disk.resize?.(MIB);
      expect(disk.size).to.equal(MIB);
    });

    it('moves all pieces of a command, however many', async () => {
      const count = 2048;
      fixture.image(2 * MIB);
      const disk = await fixture.open(`${fixture.path()}?io=${io}`);
      const data = pattern(count * 512, 6);
      const cut = (bytes: Uint8Array) =>
        Array.from({ length: count }, (_, index) => bytes.subarray(index * 512, (index + 1) * 512));
      await disk.writev?.(cut(data), 4096, context());
      const found = new Uint8Array(data.length);
      await disk.readv?.(cut(found), 4096, context());
      expectBytes(found, data, 'all pieces');
      expectBytes(readFileSync(fixture.path()).subarray(4096, 4096 + data.length), data, 'in the file');
    });
  });
}

describe('file handler: storage', () => {
  const fixture = new FileFixture();

  it('gives the storage of unmapped blocks back to the file system', async () => {
    writeFileSync(fixture.path(), pattern(MIB, 7));
    const disk = await fixture.open(fixture.path());
    const before = statSync(fixture.path()).blocks;
    await disk.unmap?.(0, MIB / 2, context());
    await disk.flush?.(context());
    expect(statSync(fixture.path()).blocks).to.be.below(before);
    expect(statSync(fixture.path()).size).to.equal(MIB);
  });

  it('keeps storage for zeroes that may not unmap', async () => {
    writeFileSync(fixture.path(), pattern(MIB, 8));
    const disk = await fixture.open(fixture.path());
    const before = statSync(fixture.path()).blocks;
    await disk.writeZeroes?.(0, MIB, false, context());
    await disk.flush?.(context());
    expect(statSync(fixture.path()).blocks).to.be.at.least(before);
    expect(readFileSync(fixture.path()).every((byte) => byte === 0)).to.equal(true);
  });

  it('reports blocks longer than those of the file system as data where a part is', async () => {
    fixture.image(MIB);
    const disk = await fixture.open(`${fixture.path()}?block_size=64K`);
    const plain = await fixture.open(fixture.path());
    await plain.write?.(pattern(512, 1), 96 * 1024, context());
    expect(await disk.extents?.(0, MIB, context())).to.deep.equal([
      { offset: 0, length: 65536, hole: true },
      { offset: 65536, length: 65536, hole: false },
      { offset: 131072, length: MIB - 131072, hole: true },
    ]);
  });
});
