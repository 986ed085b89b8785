import { expect } from 'chai';
import { native } from '../../src/native/addon.js';
import { cleanExit, runScript } from './support/script.js';

describe('openClock', () => {
  it('goes on with the time, in milliseconds', async () => {
    const { time, read } = native().openClock();
    const now = new Float64Array(time);
    read();
    const [first, start] = [now[0], performance.now()];
    await new Promise((resolve) => setTimeout(resolve, 20));
    const atLeast = performance.now() - start;
    read();
    expect(now[0] - first).to.be.at.least(atLeast);
    expect(now[0] - first).to.be.at.most(performance.now() - start + 1);
  });

  it('works as long as somebody has either half', async () => {
    const result = await runScript(`
      const read = (() => addon.openClock().read)();
      const time = (() => addon.openClock().time)();
      (async () => {
        for (let turns = 0; turns < 10; turns++) { gc(); await turn(); }
        read();
        console.log(new Float64Array(time)[0]);
      })();
    `);
    expect(result).to.deep.equal(cleanExit('0\n'));
  });
});
