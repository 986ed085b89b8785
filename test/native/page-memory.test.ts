import { expect } from 'chai';
import { native } from '../../src/native/addon.js';
import { cleanExit, runScript } from './support/script.js';

const PAGE = 4096;

describe('pageMemory and dropPages', () => {
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

  it('refuse what is no part of the memory', () => {
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
