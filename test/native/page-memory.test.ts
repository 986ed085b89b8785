import { expect } from 'chai';
import { native } from '../../src/native/addon.js';
import { cleanExit, runScript } from './support/script.js';

const PAGE = 4096;

describe('pageMemory, readPages and dropPages', () => {
  const pageMemory = (size: number): ArrayBuffer => native().pageMemory(size);
  const dropPages = (memory: ArrayBuffer, offset: number, length: number): void =>
    native().dropPages(memory, offset, length);

  it('give zeroes, and zeroes again for what was dropped', () => {
    const memory = pageMemory(4 * PAGE);
    const bytes = new Uint8Array(memory);
    expect(bytes.length).to.equal(4 * PAGE);
    expect(bytes.every((byte) => byte === 0)).to.equal(true);
    bytes.fill(7);
    dropPages(memory, PAGE, 2 * PAGE);
    expect(bytes.subarray(0, PAGE).every((byte) => byte === 7)).to.equal(true);
    expect(bytes.subarray(PAGE, 3 * PAGE).every((byte) => byte === 0)).to.equal(true);
    expect(bytes.subarray(3 * PAGE).every((byte) => byte === 7)).to.equal(true);
    dropPages(memory, 4 * PAGE, 0);
  });

  it('give a piece of any length at any offset', () => {
    const memory = pageMemory(PAGE);
    new Uint8Array(memory).forEach((_, index, bytes) => (bytes[index] = index % 251));
    const buffer = new Uint8Array(100);
    native().readPages(memory, 777, buffer.subarray(1, 99));
    expect(Array.from(buffer.subarray(1, 99))).to.deep.equal(
      Array.from({ length: 98 }, (_, index) => (777 + index) % 251),
    );
    expect([buffer[0], buffer[99]]).to.deep.equal([0, 0]);
    native().readPages(memory, PAGE, new Uint8Array(0));
  });

  it('leave what it holds when it is put into huge pages', async () => {
    const memory = pageMemory(2 ** 21);
    const bytes = new Uint8Array(memory).fill(9);
    expect(await native().collapsePages(memory)).to.be.a('boolean');
    expect(bytes.every((byte) => byte === 9)).to.equal(true);
    expect(() => native().collapsePages(bytes as never)).to.throw(TypeError, 'must be an ArrayBuffer');
  });

  it('refuse what is no part of the memory', () => {
    const { readPages } = native();
    for (const offset of [-1, 1, NaN, Infinity]) {
      expect(() => readPages(pageMemory(PAGE), offset, new Uint8Array(PAGE))).to.throw(
        RangeError,
        'readPages',
      );
    }
    expect(() => readPages(pageMemory(PAGE), 0, new Uint8Array(PAGE + 1))).to.throw(RangeError, 'readPages');
    expect(() => readPages(new Uint8Array(8) as never, 0, new Uint8Array(1))).to.throw(
      TypeError,
      'ArrayBuffer',
    );
    expect(() => readPages(pageMemory(8), '0' as never, new Uint8Array(1))).to.throw(TypeError, 'a number');
    expect(() => readPages(pageMemory(8), 0, new Uint16Array(1) as never)).to.throw(TypeError, 'Uint8Array');
    const memory = pageMemory(4 * PAGE);
    expect(() => dropPages(memory, 512, PAGE)).to.throw(RangeError, 'multiples of 4096');
    expect(() => dropPages(memory, PAGE, 512)).to.throw(RangeError, 'multiples of 4096');
    expect(() => dropPages(memory, PAGE, 4 * PAGE)).to.throw(RangeError, 'dropPages: length');
    expect(() => dropPages(memory, -PAGE, PAGE)).to.throw(RangeError, 'dropPages: offset');
    expect(() => dropPages(new Uint8Array(PAGE) as never, 0, PAGE)).to.throw(
      TypeError,
      'must be an ArrayBuffer',
    );
    expect(() => pageMemory(0)).to.throw(RangeError, 'pageMemory: size');
  });

  it('are unmapped when nobody sees them any more', async () => {
    const result = await runScript(`
      const mapped = () => Number(/VmSize:\\s+(\\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))[1]);
      const before = mapped();
      (function () { for (let count = 0; count < 64; count++) addon.pageMemory(2 ** 26); })();
      const most = mapped();
      (async () => {
        for (let turns = 0; turns < 10; turns++) { gc(); await turn(); }
        console.log(most - before > 2 ** 20, mapped() - before < 2 ** 20);
      })();
    `);
    expect(result).to.deep.equal(cleanExit('true true\n'));
  });
});
