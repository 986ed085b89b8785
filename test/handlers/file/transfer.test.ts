import { expect } from 'chai';
import { execFileSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, statSync, writeFileSync } from 'node:fs';
import { AlignedBuffers } from '../../../src/handlers/file/aligned-buffers.js';
import { CachedTransfer } from '../../../src/handlers/file/cached-transfer.js';
import {
  AsyncTransfer,
  DirectTransfer,
  SyncTransfer,
  type ListTransfer,
  type Transfer,
} from '../../../src/handlers/file/transfer.js';
import { context, expectBytes, failureOf, pattern } from '../../conformance/support.js';
import { FileFixture } from './file-fixture.js';

describe('AlignedBuffers', () => {
  it('lends a given-back buffer again for any length up to its own', () => {
    const buffers = new AlignedBuffers();
    const buffer = buffers.take(5000);
    expect(buffer.length).to.equal(8192);
    buffers.give(buffer);
    expect(buffers.take(8192)).to.equal(buffer);
    expect(buffers.take(8192)).not.to.equal(buffer);
    expect(buffers.take(1).length).to.equal(4096);
  });

  it('keeps neither very long ones nor very many', () => {
    const buffers = new AlignedBuffers();
    const long = buffers.take(2 ** 20 + 1);
    buffers.give(long);
    expect(buffers.take(2 ** 20 + 1)).not.to.equal(long);
    const many = Array.from({ length: 100 }, () => buffers.take(4096));
    for (const buffer of many) buffers.give(buffer);
    const again = new Set(Array.from({ length: 100 }, () => buffers.take(4096)));
    expect(many.filter((buffer) => again.has(buffer)).length).to.be.within(1, 64);
  });
});

describe('transfers', () => {
  const fixture = new FileFixture();

  for (const [name, Kind] of [
    ['AsyncTransfer', AsyncTransfer],
    ['SyncTransfer', SyncTransfer],
    [
      'CachedTransfer',
      class extends CachedTransfer {
        constructor(fd: number, path: string) {
          super(fd, path, new AsyncTransfer(fd, path), true);
        }
      },
    ],
  ] as const) {
    it(`${name} names the file, whatever fails`, async () => {
      const path = fixture.image(4096);
      const fd = openSync(path, 'r');
      const transfer: Transfer = new Kind(fd, path);
      try {
        const error = await failureOf(() => transfer.write([new Uint8Array(512)], 0));
        expect(error.code).to.equal('EBADF');
        expect(error.message).to.contain(path);
      } finally {
        closeSync(fd);
      }
    });

    it(`${name} ends with an error where the file takes less than all`, async function () {
      if (process.getuid?.() !== 0) return this.skip();
      const mountPoint = fixture.path('mnt');
      mkdirSync(mountPoint);
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', mountPoint]);
      const fd = openSync(`${mountPoint}/disk`, 'w+');
      try {
        const transfer: Transfer = new Kind(fd, 'disk');
        const error = await failureOf(() =>
          transfer.write([pattern(50_000, 1), pattern(50_000, 2), pattern(50_000, 3)], 0),
        );
        expect(error.code).to.equal('ENOSPC');
        const found = new Uint8Array(50_000);
        await transfer.read([found.subarray(0, 20_000), found.subarray(20_000)], 0);
        expectBytes(found, pattern(50_000, 1), 'what fitted');
      } finally {
        closeSync(fd);
        execFileSync('umount', [mountPoint]);
      }
    });
  }

  it('DirectTransfer takes a way round where the buffers are not aligned', async () => {
    const refused: number[] = [];
    const stored = new Uint8Array(8192);
    // A device as strict as they come: one buffer, aligned in memory and in length.
    const strict: ListTransfer = {
      read: async ([buffer, ...others], offset) => {
        refuse(buffer, others);
        buffer.set(stored.subarray(offset, offset + buffer.length));
      },
      write: async ([buffer, ...others], offset) => {
        refuse(buffer, others);
        stored.set(buffer, offset);
      },
    };
    const refuse = (buffer: Uint8Array, others: Uint8Array[]): void => {
      if (others.length === 0 && buffer.byteOffset % 4096 === 0 && buffer.length % 4096 === 0) return;
      refused.push(buffer.length);
      throw Object.assign(new Error('EINVAL'), { code: 'EINVAL' });
    };
    const direct = new DirectTransfer(strict);
    const data = pattern(8192, 1);
    const cut = (bytes: Uint8Array) => [bytes.subarray(0, 512), bytes.subarray(512)];
    await direct.write(cut(data), 0);
    expectBytes(stored, data, 'written');
    const found = new Uint8Array(8192);
    await direct.read(cut(found), 0);
    expectBytes(found, data, 'read');
    expect(refused).to.deep.equal([512, 512]);
    await direct.read([found.subarray(0, 4096)], 4096);
    expect(refused).to.have.length(2);
  });

  it('DirectTransfer passes on what is no matter of alignment', async () => {
    const broken = async (): Promise<void> => {
      throw Object.assign(new Error('EIO'), { code: 'EIO' });
    };
    const direct = new DirectTransfer({ read: broken, write: broken });
    expect((await failureOf(() => direct.read([new Uint8Array(512)], 0))).code).to.equal('EIO');
    expect((await failureOf(() => direct.write([new Uint8Array(512)], 0))).code).to.equal('EIO');
  });
});

describe('a file system without fallocate for zeroes', () => {
  const fixture = new FileFixture();

  it('has them written', async function () {
    if (process.getuid?.() !== 0) return this.skip();
    const mountPoint = fixture.path('mnt');
    mkdirSync(mountPoint);
    // tmpfs punches holes but does not zero ranges.
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=8m', 'tmpfs', mountPoint]);
    try {
      const path = `${mountPoint}/disk.img`;
      const expected = pattern(3 * 2 ** 20, 1);
      writeFileSync(path, expected);
      const disk = await fixture.open(path);
      await disk.writeZeroes?.(512, 2 ** 21, false, context());
      expected.fill(0, 512, 512 + 2 ** 21);
      const found = new Uint8Array(expected.length);
      await disk.read(found, 0, context());
      expectBytes(found, expected, 'zeroes in the middle');
      expect(statSync(path).blocks * 512).to.equal(expected.length);
      await disk.close?.();
      execFileSync('umount', [mountPoint]);
    } catch (error) {
      execFileSync('umount', ['-l', mountPoint]);
      throw error;
    }
  });
});
