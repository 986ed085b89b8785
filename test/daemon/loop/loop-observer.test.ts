import { expect } from 'chai';
import { describeStall, LoopObserver, type Stall } from '../../../src/daemon/loop/loop-observer.js';
import { loopMemory, LoopMarks, loopWord } from '../../../src/device/loop-marks.js';

/** A loop that turns when it is told, and its observer, which looks every 100 ms of a clock of its own. */
class Rig {
  readonly marks: LoopMarks;
  readonly #words: Int32Array;
  readonly #observer: LoopObserver;
  #now = 5000;

  constructor() {
    const memory = loopMemory();
    this.#words = new Int32Array(memory);
    this.marks = new LoopMarks({ memory, threshold: 800 });
    const names: string[] = [];
    names[0x28] = 'READ(10)';
    this.#observer = new LoopObserver(
      {
        memory,
        threshold: 800,
        commandNames: names,
        deviceName: (index) => ['user_0/disk1', 'user_0/disk2'][index],
      },
      this.#now,
    );
  }

  turn(): void {
    this.#words[loopWord.beat]++;
  }

  /** Look `times` times. @returns what was seen */
  look(times: number, interval = 100): Stall[] {
    const stalls: Stall[] = [];
    for (let time = 0; time < times; time++) {
      this.#now += interval;
      const stall = this.#observer.look(this.#now);
      if (stall) stalls.push(stall);
    }
    return stalls;
  }
}

describe('LoopObserver', () => {
  it('tells once of a stall which command of which device it is in, and once that it is over', () => {
    const rig = new Rig();
    rig.marks.register('user_0/disk1');
    const second = rig.marks.register('user_0/disk2');
    rig.turn();
    expect(rig.look(1)).to.deep.equal([]);
    rig.marks.enter(second, 0x28);
    expect(rig.look(7)).to.deep.equal([]);
    const where = 'in READ(10) of user_0/disk2';
    expect(rig.look(20)).to.deep.equal([{ milliseconds: 800, where, isOver: false }]);
    rig.marks.leave();
    rig.turn();
    expect(rig.look(3)).to.deep.equal([{ milliseconds: 2800, where, isOver: true }]);
    expect(rig.look(30)).to.have.length(1);
  });

  it('names the last command where something else blocks the loop, by number where it has no name', () => {
    const rig = new Rig();
    rig.turn();
    expect(rig.look(9)[0].where).to.equal('no command was begun yet');
    rig.turn();
    rig.look(1);
    rig.marks.enter(rig.marks.register('user_0/disk1'), 0xc1);
    rig.marks.leave();
    expect(rig.look(8)[0].where).to.equal(
      'after operation code c1h of user_0/disk1, the last command that was begun',
    );
  });

  it('says nothing of a loop that turns now and then, or has not begun', () => {
    const rig = new Rig();
    expect(rig.look(100)).to.deep.equal([]);
    for (let time = 0; time < 10; time++) {
      rig.turn();
      expect(rig.look(8)).to.deep.equal([]);
    }
  });

  it('does not count the time in which it could not look itself', () => {
    const rig = new Rig();
    rig.turn();
    rig.look(1);
    expect(rig.look(1, 60_000)).to.deep.equal([]);
    expect(rig.look(1, 60_000)[0].milliseconds).to.equal(800);
  });

  it('says it in words, with the stack where there is one', () => {
    const stall = { milliseconds: 1000.4, where: 'in READ(10) of user_0/disk1', isOver: false };
    expect(describeStall(stall, ['    at spin (file:///x.js:1:2)'])).to.equal(
      'the event loop has not turned for 1000 ms: in READ(10) of user_0/disk1\n    at spin (file:///x.js:1:2)',
    );
    expect(describeStall({ ...stall, isOver: true })).to.equal(
      'the event loop turns again after 1000 ms: it was blocked in READ(10) of user_0/disk1',
    );
  });
});
