import { expect } from 'chai';
import { LoopMarks, loopMemory, loopWord } from '../../src/device/loop-marks.js';

describe('LoopMarks', () => {
  it('show in shared memory that the loop turns, once started, and until closed', async () => {
    const memory = loopMemory();
    const words = new Int32Array(memory);
    const marks = new LoopMarks({ memory, threshold: 80 });
    expect([...words]).to.deep.equal([0, 0, -1, 0]);
    marks.start();
    marks.start();
    while (words[loopWord.beat] < 3) await new Promise((resolve) => setTimeout(resolve, 1));
    marks.close();
    const last = words[loopWord.beat];
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(words[loopWord.beat]).to.equal(last);
  });

  it('show the command that was begun last, and whether its verb is being called', () => {
    const registered: [number, string][] = [];
    const marks = new LoopMarks({
      threshold: 1000,
      onRegister: (index, name) => registered.push([index, name]),
    });
    const words = new Int32Array(marks.memory);
    marks.register('user_0/disk1');
    const second = marks.register('user_0/disk2');
    expect(registered).to.deep.equal([
      [0, 'user_0/disk1'],
      [1, 'user_0/disk2'],
    ]);
    marks.enter(second, 0x2a);
    expect([...words]).to.deep.equal([0, 1, 1, 0x2a]);
    marks.leave();
    expect([...words]).to.deep.equal([0, 0, 1, 0x2a]);
  });
});
