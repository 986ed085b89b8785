import {
  closeSync,
  constants,
  fstatSync,
  ftruncateSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { CANNOT_TELL, native, WOULD_WAIT } from '../../src/native/addon.js';
import { thrownBy } from './support/errors.js';

const MIB = 1 << 20;

describe('file I/O of the addon', () => {
  const io = native();
  let folder: string;
  let path: string;
  let fd: number;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'lunette-file-io-'));
    path = join(folder, 'image');
    fd = openSync(path, 'w+');
  });

  afterEach(() => {
    closeSync(fd);
    rmSync(folder, { recursive: true });
  });

  describe('punchHole', () => {
    it('gives the blocks back, reads as zeroes, and keeps the size', () => {
      writeSync(fd, Buffer.alloc(4 * MIB, 0x5a));
      const before = fstatSync(fd).blocks;
      io.punchHole(fd, MIB, 2 * MIB);
      expect(before - fstatSync(fd).blocks).to.equal((2 * MIB) / 512);
      expect(fstatSync(fd).size).to.equal(4 * MIB);
      expect(io.seek(fd, 0, 'hole')).to.equal(MIB);
      expect(io.seek(fd, MIB, 'data')).to.equal(3 * MIB);
      const image = readFileSync(path);
      expect(image.subarray(0, MIB).every((byte) => byte === 0x5a)).to.equal(true);
      expect(image.subarray(MIB, 3 * MIB).every((byte) => byte === 0)).to.equal(true);
      expect(image.subarray(3 * MIB).every((byte) => byte === 0x5a)).to.equal(true);
    });

    it('beyond the end does not make the file longer', () => {
      io.punchHole(fd, 10 * MIB, MIB);
      expect(fstatSync(fd).size).to.equal(0);
    });

    it('throws what fallocate says', () => {
      const error = thrownBy(() => io.punchHole(2 ** 30, 0, 4096));
      expect(error).to.include({ code: 'EBADF', errno: -9, syscall: 'fallocate' });
      expect(error.message).to.equal('fallocate: EBADF, bad file descriptor');
    });
  });

  describe('zeroRange', () => {
    it('makes zeroes and keeps the size, where the file system can', function () {
      writeSync(fd, Buffer.alloc(64 * 1024, 0x5a));
      try {
        io.zeroRange(fd, 1000, 5000);
      } catch (error) {
        expect(error).to.include({ code: 'EOPNOTSUPP', syscall: 'fallocate' });
        this.skip();
      }
      const image = readFileSync(path);
      expect(image.length).to.equal(64 * 1024);
      expect(image[999]).to.equal(0x5a);
      expect(image.subarray(1000, 6000).every((byte) => byte === 0)).to.equal(true);
      expect(image[6000]).to.equal(0x5a);
    });
  });

  describe('seek', () => {
    it('finds data and holes of a sparse file', () => {
      ftruncateSync(fd, 8 * MIB);
      writeSync(fd, Buffer.alloc(4096, 1), 0, 4096, 4 * MIB);
      expect(io.seek(fd, 0, 'data')).to.equal(4 * MIB);
      expect(io.seek(fd, 0, 'hole')).to.equal(0);
      expect(io.seek(fd, 4 * MIB, 'hole')).to.equal(4 * MIB + 4096);
    });

    it('is -1 where nothing more is found', () => {
      ftruncateSync(fd, MIB);
      expect(io.seek(fd, 0, 'data')).to.equal(-1);
      expect(io.seek(fd, MIB, 'hole')).to.equal(-1);
    });

    it('works beyond 4 GiB', () => {
      const far = 5 * 2 ** 40;
      ftruncateSync(fd, far + MIB);
      expect(io.pwritev(fd, [new Uint8Array(4096).fill(9)], far)).to.equal(4096);
      expect(io.seek(fd, 0, 'data')).to.equal(far);
    });

    it('refuses another whence', () => {
      expect(() => io.seek(fd, 0, 'end' as never)).to.throw(
        RangeError,
        "must be 'data' or 'hole', not 'end'",
      );
    });
  });

  describe('preadv and pwritev', () => {
    it('scatter and gather at an offset, through views, Buffers and shared memory', () => {
      const backing = new Uint8Array(100).fill(0xee);
      const shared = new Uint8Array(new SharedArrayBuffer(4));
      shared.set([7, 8, 9, 10]);
      expect(io.pwritev(fd, [Buffer.from([1, 2]), new Uint8Array([3, 4, 5]), shared], 10)).to.equal(9);
      const tail = new Uint8Array(new SharedArrayBuffer(3));
      expect(
        io.preadv(fd, [backing.subarray(50, 54), new Uint8Array(0), Buffer.alloc(2), tail], 10),
      ).to.equal(9);
      expect([...backing.subarray(49, 55)]).to.deep.equal([0xee, 1, 2, 3, 4, 0xee]);
      expect([...tail]).to.deep.equal([8, 9, 10]);
    });

    it('transfer fewer bytes at the end of the file, and none beyond it', () => {
      writeSync(fd, Buffer.from('abcdef'));
      const buffer = new Uint8Array(10).fill(0xff);
      expect(io.preadv(fd, [buffer], 2)).to.equal(4);
      expect(Buffer.from(buffer.buffer).toString('latin1')).to.equal('cdef' + '\xff'.repeat(6));
      expect(io.preadv(fd, [buffer], 100)).to.equal(0);
      expect(io.preadv(fd, [], 0)).to.equal(0);
    });

    it('are a short transfer where the list is longer than IOV_MAX', () => {
      const buffers = Array.from({ length: 1500 }, (_, i) => new Uint8Array([i & 0xff]));
      expect(io.pwritev(fd, buffers, 0)).to.equal(1024);
      expect(io.pwritev(fd, buffers.slice(1024), 1024)).to.equal(476);
      expect([...readFileSync(path)]).to.deep.equal(buffers.map(([byte]) => byte));
    });

    it('throw the error of the call', () => {
      expect(thrownBy(() => io.preadv(2 ** 30, [new Uint8Array(1)], 0))).to.include({
        code: 'EBADF',
        syscall: 'preadv',
      });
      const readOnly = openSync(path, 'r');
      expect(thrownBy(() => io.pwritev(readOnly, [new Uint8Array(1)], 0))).to.include({ syscall: 'pwritev' });
      closeSync(readOnly);
    });

    it('refuse what is no list of Uint8Arrays', () => {
      expect(() => io.preadv(fd, 4 as never, 0)).to.throw(
        TypeError,
        'preadv: buffers must be a Uint8Array or an array of them',
      );
      expect(() => io.preadv(fd, [new Uint16Array(4) as never], 0)).to.throw(
        TypeError,
        'must be a Uint8Array',
      );
      expect(() => io.pwritev(fd, [undefined as never], 0)).to.throw(TypeError, 'must be a Uint8Array');
      expect(() => io.preadv(fd, [], -1)).to.throw(RangeError, 'preadv: offset');
      expect(() => io.preadv('3' as never, [], 0)).to.throw(TypeError, 'preadv: fd');
      expect(() => io.preadv(-1, [], 0)).to.throw(RangeError, 'preadv: fd');
    });

    it('do not write through an array that a later element of the list detaches', () => {
      const victim = new Uint8Array(4096).fill(1);
      const list = [victim, victim];
      Object.defineProperty(list, 1, {
        get: () => {
          structuredClone(victim.buffer, { transfer: [victim.buffer] });
          return new Uint8Array([5]);
        },
      });
      expect(io.pwritev(fd, list, 0)).to.equal(1);
      expect([...readFileSync(path)]).to.deep.equal([5]);
    });

    it('pass on what a getter in the list throws', () => {
      const list: Uint8Array[] = [];
      Object.defineProperty(list, 0, {
        get: () => {
          throw new Error('from the getter');
        },
      });
      expect(() => io.preadv(fd, list, 0)).to.throw('from the getter');
    });
  });

  describe('preadNow and pwriteNow', () => {
    it('transfer at once, or say why not', () => {
      const data = Uint8Array.from({ length: 8192 }, (_, index) => index);
      expect(io.pwritev(fd, data, 0)).to.equal(8192);
      const buffers = [new Uint8Array(4096), new Uint8Array(4096)];
      const count = io.preadNow(fd, buffers, 0);
      expect(count).to.be.oneOf([8192, WOULD_WAIT, CANNOT_TELL]);
      if (count > 0) expect(Buffer.concat(buffers)).to.deep.equal(Buffer.from(data));
      expect(io.pwriteNow(fd, data, 0)).to.be.oneOf([8192, WOULD_WAIT, CANNOT_TELL]);
    });

    it('throw for what is no matter of waiting', () => {
      expect(thrownBy(() => io.preadNow(2 ** 30, new Uint8Array(1), 0))).to.include({
        code: 'EBADF',
        syscall: 'preadv2',
      });
      expect(thrownBy(() => io.pwriteNow(2 ** 30, [new Uint8Array(1)], 0))).to.include({ code: 'EBADF' });
      expect(() => io.preadNow(fd, 'x' as never, 0)).to.throw(TypeError, 'preadNow: buffers');
    });
  });

  describe('the functions for block devices', () => {
    it('are an ENOTTY of ioctl on a regular file', () => {
      writeSync(fd, Buffer.alloc(4096, 1));
      for (const call of [
        () => io.blockDeviceSize(fd),
        () => io.discardBlocks(fd, 0, 4096),
        () => io.zeroBlocks(fd, 0, 4096),
      ]) {
        expect(thrownBy(call)).to.include({ code: 'ENOTTY', syscall: 'ioctl' });
      }
      expect(readFileSync(path).every((byte) => byte === 1)).to.equal(true);
    });
  });

  describe('alignedBuffer', () => {
    it('is zeroed memory of the size asked for', () => {
      for (const alignment of [1, 512, 4096, 1 << 21]) {
        const buffer = io.alignedBuffer(8192, alignment);
        expect(buffer.byteLength).to.equal(8192);
        expect(new Uint8Array(buffer).every((byte) => byte === 0)).to.equal(true);
        new Uint8Array(buffer).fill(0xff);
      }
    });

    it('is what O_DIRECT takes', function () {
      let direct: number;
      try {
        direct = openSync(path, constants.O_RDWR | constants.O_DIRECT);
      } catch (error) {
        expect(error).to.include({ code: 'EINVAL' });
        return this.skip();
      }
      // Several, as one could be aligned by chance.
      const buffers = Array.from({ length: 16 }, (_, i) =>
        new Uint8Array(io.alignedBuffer(4096, 4096)).fill(i),
      );
      expect(io.pwritev(direct, buffers, 0)).to.equal(16 * 4096);
      const back = new Uint8Array(io.alignedBuffer(16 * 4096, 4096));
      expect(io.preadv(direct, [back], 0)).to.equal(back.length);
      expect(back.every((byte, at) => byte === at >> 12)).to.equal(true);
      closeSync(direct);
    });

    it('refuses an alignment that is no power of two, and sizes that cannot be', () => {
      expect(() => io.alignedBuffer(4096, 3)).to.throw(RangeError, 'must be a power of two, not 3');
      expect(() => io.alignedBuffer(4096, 0)).to.throw(RangeError, 'alignedBuffer: alignment');
      expect(() => io.alignedBuffer(0, 512)).to.throw(RangeError, 'alignedBuffer: size');
      expect(thrownBy(() => io.alignedBuffer(2 ** 50, 4096)).code).to.equal('ENOMEM');
    });
  });
});
