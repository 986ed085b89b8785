import { expect } from 'chai';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { context, expectBytes, failureOf, pattern } from '../../conformance/support.js';
import { FileFixture } from './file-fixture.js';

const MIB = 2 ** 20;

function canLoop(): boolean {
  try {
    execFileSync('losetup', ['-f'], { stdio: 'ignore' });
    return process.getuid?.() === 0;
  } catch {
    return false;
  }
}

describe('file handler: a block device', function () {
  const fixture = new FileFixture();
  const loops: string[] = [];

  before(function () {
    // A loop device takes root, and a kernel that has them.
    if (!canLoop()) this.skip();
  });

  // Runs before the fixture's directory goes, but after its disks are closed.
  afterEach(() => {
    for (const device of loops.splice(0)) execFileSync('losetup', ['-d', device]);
  });

  function loop(size: number, sector = 512): string {
    fixture.image(size, 'backing');
    const device = execFileSync('losetup', ['-f', '--show', '-b', String(sector), fixture.path('backing')], {
      encoding: 'utf8',
    }).trim();
    loops.push(device);
    return device;
  }

  it('has the size of the device, or less where less is asked for', async () => {
    const device = loop(8 * MIB);
    expect((await fixture.open(`${device}?readonly=1`)).size).to.equal(8 * MIB);
    expect((await fixture.open(`${device}?readonly=1`, { size: MIB })).size).to.equal(MIB);
    const error = await failureOf(() => fixture.open(device, { size: 16 * MIB }));
    expect(error.message).to.contain('has 8 MiB, 16 MiB are asked for');
  });

  for (const option of ['', '?io=async', '?io=sync', '?direct=1']) {
    it(`keeps what is written${option}`, async () => {
      const device = loop(8 * MIB);
      const disk = await fixture.open(device + option);
      const bytes = pattern(MIB, 1);
      await disk.write?.(bytes.slice(), MIB, context());
      await disk.flush?.(context());
      const found = new Uint8Array(MIB);
      await disk.read(found, MIB, context());
      expectBytes(found, bytes, 'read back');
      expectBytes(readFileSync(device).subarray(MIB, 2 * MIB), bytes, 'on the device');
    });
  }

  it('discards on unmap, promising nothing about what is read then', async () => {
    const device = loop(8 * MIB);
    writeFileSync(device, pattern(8 * MIB, 2));
    const disk = await fixture.open(device);
    expect(disk.unmapReadsZeroes).to.equal(false);
    await disk.flush?.(context());
    const before = statSync(fixture.path('backing')).blocks;
    await disk.unmap?.(0, 4 * MIB, context());
    await disk.flush?.(context());
    expect(statSync(fixture.path('backing')).blocks).to.be.below(before);
  });

  for (const mayUnmap of [true, false]) {
    it(`writes zeroes, ${mayUnmap ? 'and may' : 'but may not'} unmap`, async () => {
      const device = loop(8 * MIB);
      const expected = pattern(8 * MIB, 3);
      writeFileSync(device, expected);
      const disk = await fixture.open(device);
      await disk.writeZeroes?.(MIB + 512, 3 * MIB, mayUnmap, context());
      expected.fill(0, MIB + 512, 4 * MIB + 512);
      const found = new Uint8Array(8 * MIB);
      await disk.read(found, 0, context());
      expectBytes(found, expected, 'device');
    });
  }

  it('cannot be made larger than the device, but follows one that grew', async () => {
    const device = loop(8 * MIB);
    const disk = await fixture.open(device, { size: 4 * MIB });
    await disk.resize?.(8 * MIB);
    expect(disk.size).to.equal(8 * MIB);
    const error = await failureOf(() => disk.resize?.(16 * MIB));
    expect(error.message).to.contain(device).and.contain('do not fit');
    expect(disk.size).to.equal(8 * MIB);
    execFileSync('truncate', ['-s', '16M', fixture.path('backing')]);
    execFileSync('losetup', ['-c', device]);
    await disk.resize?.(16 * MIB);
    expect(disk.size).to.equal(16 * MIB);
  });

  it('is refused while it is mounted, but for reading', async () => {
    const device = loop(8 * MIB);
    execFileSync('mkfs.ext4', ['-q', device]);
    mkdirSync(fixture.path('mnt'));
    execFileSync('mount', [device, fixture.path('mnt')]);
    try {
      expect((await failureOf(() => fixture.open(device))).message).to.contain('in use on this host');
      expect((await fixture.open(`${device}?readonly=1`)).readOnly).to.equal(true);
    } finally {
      execFileSync('umount', [fixture.path('mnt')]);
    }
  });

  it('names the block size that direct I/O needs', async () => {
    const device = loop(8 * MIB, 4096);
    const error = await failureOf(() => fixture.open(`${device}?direct=1`));
    expect(error.message).to.contain('blocks of 512 bytes').and.contain('block_size=4096');
    const disk = await fixture.open(`${device}?direct=1&block_size=4096`);
    await disk.write?.(pattern(4096, 1), 4096, context());
  });
});
