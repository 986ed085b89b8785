import { expect } from 'chai';
import { setImmediate as turn } from 'node:timers/promises';
import { Gate } from '../../../src/daemon/host/gate.js';

describe('Gate', () => {
  it('lets so many through at a time, in the order in which they came', async () => {
    const gate = new Gate(2);
    const through: number[] = [];
    for (let number = 0; number < 5; number++) void gate.enter().then(() => through.push(number));
    await turn();
    expect(through).to.deep.equal([0, 1]);
    gate.leave();
    await turn();
    expect(through).to.deep.equal([0, 1, 2]);
    gate.leave();
    gate.leave();
    await turn();
    expect(through).to.deep.equal([0, 1, 2, 3, 4]);
    for (let left = 0; left < 2; left++) gate.leave();
    await Promise.all([gate.enter(), gate.enter()]);
  });
});
