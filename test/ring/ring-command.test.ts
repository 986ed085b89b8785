import { expect } from 'chai';
import { RingCommand, type CommandOwner } from '../../src/ring/ring-command.js';

type Finish = Parameters<CommandOwner['finish']>;

function newCommand(): { command: RingCommand; finished: Finish[]; late: RingCommand[] } {
  const finished: Finish[] = [];
  const late: RingCommand[] = [];
  const command = new RingCommand({
    finish: (...finish) => {
      finished.push(finish);
      if (finish[0].state === 'running') finish[0].state = 'free';
    },
    finishLate: (one) => {
      late.push(one);
      one.state = 'free';
    },
  });
  command.reset(7);
  return { command, finished, late };
}

describe('ring command', () => {
  it('is answered once', () => {
    const { command, finished } = newCommand();
    const sense = Uint8Array.of(0x70);
    command.complete(2, sense, 5, true);
    command.complete(0);
    expect(finished).to.deep.equal([[command, 2, sense, 5, true]]);
  });

  it('answered in its handler’s stead tells its owner once when the handler is done', () => {
    const { command, finished, late } = newCommand();
    command.expire(8);
    command.expire(8);
    expect(finished).to.deep.equal([[command, 8, undefined, undefined, false]]);
    command.complete(0);
    command.complete(0);
    expect(finished).to.have.length(1);
    expect(late).to.deep.equal([command]);
  });

  it('grows a generation with each command it becomes', () => {
    const { command } = newCommand();
    const before = command.generation;
    command.reset(8);
    expect(command.generation).to.equal(before + 1);
  });

  describe('signal', () => {
    it('is aborted with the reason, asked for before or after', () => {
      const { command } = newCommand();
      const early = command.context.signal;
      expect(early.aborted).to.equal(false);
      const reason = new Error('aborted by a test');
      command.abort(reason);
      expect(early.reason).to.equal(reason);

      command.reset(8);
      command.abort(reason);
      expect(command.context.signal.reason).to.equal(reason);
    });

    it('keeps the first reason', () => {
      const { command } = newCommand();
      const first = new Error('first');
      command.abort(first);
      command.abort(new Error('second'));
      expect(command.context.signal.reason).to.equal(first);
    });

    it('is a new one for the next command', () => {
      const { command } = newCommand();
      command.context.fua = command.context.dpo = true;
      const old = command.context.signal;
      command.abort(new Error('old'));
      command.reset(8);
      expect(command.context.signal).to.not.equal(old);
      expect(command.context.signal.aborted).to.equal(false);
      expect([command.context.fua, command.context.dpo]).to.deep.equal([false, false]);
    });
  });

  it('gives the one buffer as Data-In too, unless it is bidirectional', () => {
    const { command } = newCommand();
    command.dataOut.add(new Uint8Array(3));
    expect(command.dataIn).to.equal(command.dataOut);
    command.bidirectional = true;
    expect(command.dataIn).to.equal(command.bidiDataIn);
    expect(command.dataIn.byteLength).to.equal(0);
  });
});
