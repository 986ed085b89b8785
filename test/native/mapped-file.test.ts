import { expect } from 'chai';
import { mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { native } from '../../src/native/addon.js';
import { thrownBy } from './support/errors.js';
import { cleanExit, runScript } from './support/script.js';

describe('MappedFile', () => {
  const { MappedFile } = native();
  let folder: string;
  let path: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'mapped-file-'));
    path = join(folder, 'journal');
  });

  afterEach(() => rmSync(folder, { recursive: true }));

  it('makes a file of that size, of zeroes, that its owner alone may read', () => {
    const file = new MappedFile(path, 5000);
    expect(file.buffer.byteLength).to.equal(5000);
    expect(statSync(path).size).to.equal(5000);
    expect(statSync(path).mode & 0o777).to.equal(0o600);
    expect(new Uint8Array(file.buffer).every((byte) => byte === 0)).to.equal(true);
    file.close();
  });

  it('allocates its space, so that no store can fail', () => {
    const file = new MappedFile(path, 1 << 20);
    expect(statSync(path).blocks * 512).to.be.at.least(1 << 20);
    file.close();
  });

  it('keeps what is stored in it, for other mappings at once and for later ones', () => {
    const first = new MappedFile(path, 4096);
    const second = new MappedFile(path, 4096);
    Atomics.store(new Int32Array(first.buffer), 3, 0x01020304);
    expect(new Int32Array(second.buffer)[3]).to.equal(0x01020304);
    first.close();
    second.close();
    const third = new MappedFile(path, 4096);
    expect(new Int32Array(third.buffer)[3]).to.equal(0x01020304);
    third.close();
  });

  it('keeps what a process stored that was killed', async () => {
    const result = await runScript(`
      const file = new addon.MappedFile(${JSON.stringify(path)}, 4096);
      new Uint8Array(file.buffer).fill(7, 0, 10);
      process.kill(process.pid, 'SIGKILL');
    `);
    expect(result.signal).to.equal('SIGKILL');
    expect([...readFileSync(path).subarray(0, 11)]).to.deep.equal([...new Array<number>(10).fill(7), 0]);
  });

  it('gives a file that is there the size asked for', () => {
    writeFileSync(path, 'longer than four');
    const file = new MappedFile(path, 4);
    expect(Buffer.from(file.buffer).toString()).to.equal('long');
    file.close();
  });

  it('detaches its buffer when it is closed, and can be closed again', () => {
    const file = new MappedFile(path, 4096);
    const view = new Uint8Array(file.buffer);
    file.close();
    file.close();
    expect([file.buffer.byteLength, view.length]).to.deep.equal([0, 0]);
  });

  it('leaves its memory to the views on it where it is collected, unclosed', async () => {
    const result = await runScript(`
      const view = new Uint8Array(new addon.MappedFile(${JSON.stringify(path)}, 4096).buffer);
      gc();
      view[5] = 1;
      console.log(view[5]);
    `);
    expect(result).to.deep.equal(cleanExit('1\n'));
  });

  it('refuses what is no regular file, and what its arguments cannot be', () => {
    const link = join(folder, 'link');
    symlinkSync(path, link);
    expect(thrownBy(() => new MappedFile(link, 4096))).to.include({
      code: 'ELOOP',
      syscall: 'open',
      path: link,
    });
    expect(thrownBy(() => new MappedFile('/dev/null', 4096))).to.include({ code: 'ENODEV' });
    expect(thrownBy(() => new MappedFile(folder, 4096))).to.include({ code: 'EISDIR' });
    expect(() => new MappedFile('', 4096)).to.throw(TypeError);
    expect(() => new MappedFile(path, 0)).to.throw(RangeError);
  });
});
