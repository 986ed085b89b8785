import { expect } from 'chai';
import { fuzzCdbs } from './cdb-fuzz.js';

describe('random CDBs with random data', () => {
  it('are each answered once, whatever they are', async () => {
    const { commands, wrong } = await fuzzCdbs(20_000, 20_261_121);
    expect(commands).to.be.at.least(20_000);
    expect(wrong).to.equal(0);
  });
});
