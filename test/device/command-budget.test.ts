import { expect } from 'chai';
import sinon from 'sinon';
import { CommandBudget } from '../../src/device/command-budget.js';
import { CommandRing } from '../../src/ring/command-ring.js';
import type { RingCommand } from '../../src/ring/ring-command.js';
import * as cdb from '../../src/scsi/cdb.js';
import { EmulatedKernel } from '../../src/testing/emulated-kernel.js';
import { turns } from './support.js';

const BUDGET = 800;

describe('CommandBudget', () => {
  let clock: sinon.SinonFakeTimers;
  let kernel: EmulatedKernel;
  let ring: CommandRing;
  let budget: CommandBudget;
  let running: RingCommand[];
  let events: string[];

  beforeEach(() => {
    clock = sinon.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    kernel = new EmulatedKernel();
    running = [];
    events = [];
    ring = new CommandRing(kernel.region, {
      onCommand: (command) => running.push(command),
      onBroken: (error) => {
        throw error;
      },
    });
    budget = new CommandBudget(ring, BUDGET, {
      abort: ({ id }) => events.push(`abort ${id}`),
      expire(command) {
        events.push(`expire ${command.id}`);
        command.expire(0);
      },
    });
    ring.start();
    budget.start();
  });

  afterEach(() => {
    budget.stop();
    clock.restore();
  });

  async function send(): Promise<RingCommand> {
    kernel.queue({ cdb: cdb.testUnitReady() });
    await turns();
    return running.at(-1)!;
  }

  it('has whatever serves the device started anew, by policy, where an abort does not help', async () => {
    budget.stop();
    const actions = {
      abort: ({ id }: RingCommand) => events.push(`abort ${id}`),
      expire: ({ id }: RingCommand) => events.push(`expire ${id}`),
    };
    const restart = ({ id }: RingCommand): number => events.push(`restart ${id}`);
    const { id } = await send();
    for (const more of [{ restart }, {}]) {
      events = [];
      const restarting = new CommandBudget(ring, BUDGET, { ...actions, ...more }, 'restart');
      restarting.start();
      clock.tick(1.5 * BUDGET);
      restarting.stop();
      expect(events).to.deep.equal([`abort ${id}`, 'restart' in more ? `restart ${id}` : `expire ${id}`]);
    }
  });

  it('aborts a command whose time is over, and expires it where that does not help', async () => {
    const { id } = await send();
    clock.tick(BUDGET - 1);
    expect(events).to.deep.equal([]);
    clock.tick(BUDGET / 4);
    expect(events).to.deep.equal([`abort ${id}`]);
    clock.tick(BUDGET / 8);
    expect(events).to.deep.equal([`abort ${id}`, `expire ${id}`]);
    clock.tick(10 * BUDGET);
    expect(events).to.have.length(2);
  });

  it('lets a command alone that ends in time', async () => {
    const command = await send();
    clock.tick(BUDGET / 2);
    command.complete(0);
    clock.tick(10 * BUDGET);
    expect(events).to.deep.equal([]);
  });

  it('counts each command by itself, though its object was used before', async () => {
    const first = await send();
    for (let round = 0; round < 5; round++) {
      clock.tick((BUDGET * 3) / 4);
      running.at(-1)!.complete(0);
      expect(await send(), 'the pool gives the same object').to.equal(first);
    }
    expect(events).to.deep.equal([]);
    clock.tick(BUDGET * 2);
    expect(events).to.deep.equal([`abort ${first.id}`, `expire ${first.id}`]);
  });

  it('counts commands side by side', async () => {
    const first = await send();
    clock.tick(BUDGET / 2);
    const second = await send();
    clock.tick((BUDGET * 3) / 4);
    expect(events).to.deep.equal([`abort ${first.id}`, `expire ${first.id}`]);
    second.complete(0);
    clock.tick(BUDGET);
    expect(events).to.have.length(2);
  });

  it('does nothing before it is started and after it is stopped', async () => {
    await send();
    budget.stop();
    clock.tick(10 * BUDGET);
    expect(events).to.deep.equal([]);
    expect(clock.countTimers()).to.equal(0);
    budget.start();
    budget.start();
    expect(clock.countTimers(), 'one timer, however often it is started').to.equal(1);
    clock.tick(2 * BUDGET);
    expect(events).to.have.length(2);
  });

  describe('by policy', () => {
    const judge = async (policy: 'wait' | 'abort' | 'fail', budgets: number): Promise<string[]> => {
      budget.stop();
      budget = new CommandBudget(
        ring,
        BUDGET,
        {
          report: (_command, count) => events.push(`report ${count}`),
          abort: () => events.push('abort'),
          expire(command) {
            events.push('expire');
            command.expire(0);
          },
        },
        policy,
      );
      budget.start();
      await send();
      clock.tick(BUDGET * budgets + BUDGET / 4);
      return events;
    };

    it('wait only reports, the longer it takes the more seldom', async () => {
      expect(await judge('wait', 9)).to.deep.equal(['report 1', 'report 2', 'report 4', 'report 8']);
    });

    it('abort tells the handler, and answers nothing in its stead', async () => {
      expect(await judge('abort', 4)).to.deep.equal(['report 1', 'abort', 'report 2', 'report 4']);
      expect(kernel.unfinished).to.equal(1);
    });

    it('fail answers', async () => {
      expect(await judge('fail', 4)).to.deep.equal(['report 1', 'abort', 'expire']);
      expect(kernel.unfinished).to.equal(0);
    });
  });
});
