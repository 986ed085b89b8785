import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { native } from '../../src/native/addon.js';
import { thrownBy } from './support/errors.js';

describe('UioRegion', () => {
  const { UioRegion } = native();
  let folder: string;

  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'lunette-uio-'));
  });

  after(() => rmSync(folder, { recursive: true }));

  describe('open', () => {
    it('of a missing device is an ENOENT that names it', () => {
      const path = join(folder, 'uio99');
      const error = thrownBy(() => new UioRegion(path, 4096));
      expect(error.message).to.equal(`open: ENOENT, no such file or directory '${path}'`);
      expect(error).to.include({ code: 'ENOENT', errno: -2, syscall: 'open', path });
    });

    it('of a regular file is refused, as its end would be a SIGBUS', () => {
      const path = join(folder, 'file');
      writeFileSync(path, 'short');
      const error = thrownBy(() => new UioRegion(path, 1 << 20));
      expect(error).to.include({ code: 'ENODEV', syscall: 'mmap', path });
    });

    it('of a folder is an EISDIR', () => {
      expect(thrownBy(() => new UioRegion(folder, 4096))).to.include({ code: 'EISDIR', syscall: 'open' });
    });

    it('of a device without memory is an ENODEV of mmap', () => {
      const error = thrownBy(() => new UioRegion('/dev/null', 4096));
      expect(error).to.include({ code: 'ENODEV', errno: -19, syscall: 'mmap', path: '/dev/null' });
    });
  });

  it('refuses bad arguments', () => {
    expect(() => new UioRegion('', 4096)).to.throw(TypeError, 'UioRegion: path');
    expect(() => new UioRegion('/dev/uio0\0', 4096)).to.throw(TypeError, 'UioRegion: path');
    expect(() => new UioRegion(7 as never, 4096)).to.throw(TypeError, 'UioRegion: path');
    expect(() => new UioRegion('/dev/uio0', 64)).to.throw(RangeError, 'UioRegion: size');
    expect(() => new UioRegion('/dev/uio0', undefined as never)).to.throw(TypeError, 'UioRegion: size');
  });

  // The one character device of every system that can be mapped, if not polled.
  describe('of /dev/zero', () => {
    it('maps exactly the size asked for, writes the tail, and unmaps', () => {
      const region = new UioRegion('/dev/zero', 8192);
      const { buffer } = region;
      expect(buffer.byteLength).to.equal(8192);
      region.storeTail(0x140);
      region.kick();
      expect(new DataView(buffer).getUint32(64, true)).to.equal(0x140);
      new DataView(buffer).setUint32(12, 0x80, true);
      expect(region.loadHead()).to.equal(0x80);
      region.close();
      region.close();
      expect(buffer.byteLength).to.equal(0);
      expect(() => region.loadHead()).to.throw('UioRegion.loadHead: the region is closed');
    });

    it('a device that cannot be polled is an error of onCommand, and stays closable', () => {
      const region = new UioRegion('/dev/zero', 8192);
      expect(thrownBy(() => region.onCommand(() => {}))).to.include({ code: 'EPERM', syscall: 'epoll_ctl' });
      region.close();
    });
  });
});
