import { expect } from 'chai';
import { native } from '../../src/native/addon.js';
import { cleanExit, runScript, withAddon } from './support/script.js';

describe('openTurn', () => {
  it('calls back in a later turn, once for all requests of one', async () => {
    let calls = 0;
    const called = new Promise<void>((resolve) => {
      const request = native().openTurn(() => {
        calls++;
        resolve();
      });
      request();
      request();
    });
    expect(calls).to.equal(0);
    // It does not keep the loop alive by itself.
    const alive = setTimeout(() => undefined, 5000);
    await called;
    await new Promise((resolve) => setImmediate(resolve));
    clearTimeout(alive);
    expect(calls).to.equal(1);
  });

  it('lets other work have its turn, also where each call asks for the next', async () => {
    const result = await runScript(`
      let asked = 0;
      const request = addon.openTurn(() => { asked++; request(); });
      request();
      setTimeout(() => { console.log(asked > 0); process.exit(); }, 5);
    `);
    expect(result).to.deep.equal(cleanExit('true\n'));
  });

  it('lets the process end while it waits', async () => {
    const result = await runScript(`
      const request = addon.openTurn(() => request());
      request();
      console.log('end');
    `);
    expect(result).to.deep.equal(cleanExit('end\n'));
  });

  it('is gone with its thread', async () => {
    const worker = withAddon(`
      const request = addon.openTurn(() => request());
      request();
      setTimeout(() => process.exit(), 10);
    `);
    const result = await runScript(`
      const run = () => new Promise((resolve) => {
        new Worker(${JSON.stringify(worker)}, { eval: true }).on('exit', resolve);
      });
      (async () => {
        await run();
        const before = openFiles();
        for (let times = 0; times < 5; times++) await run();
        console.log(openFiles() - before);
      })();
    `);
    expect(result).to.deep.equal(cleanExit('0\n'));
  });

  it('refuses what is no function', () => {
    expect(() => native().openTurn(7 as never)).to.throw(TypeError, 'openTurn');
  });
});
