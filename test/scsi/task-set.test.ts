import { expect } from 'chai';
import fc from 'fast-check';
import * as cdb from '../../src/scsi/cdb.js';
import type { Nexus, TaskAttribute } from '../../src/scsi/command.js';
import { LogicalUnit } from '../../src/scsi/logical-unit.js';
import { scsiStatus } from '../../src/scsi/status.js';
import { diskWith, TestDisk } from './support/disk.js';
import { Deferred, good, readyUnit, refused, run, TestCommand } from './support/unit.js';

const [alice, bob]: Nexus[] = [{ name: 'alice' }, { name: 'bob' }];

/** A disk whose reads end when they are told to; the LBA names them. */
class SlowDisk extends TestDisk {
  readonly started: number[] = [];
  readonly reads = new Map<number, Deferred>();

  override read(_buffer: Uint8Array, offset: number): Promise<void> {
    const done = new Deferred();
    this.started.push(offset / 512);
    this.reads.set(offset / 512, done);
    return done.promise;
  }
}

class AttributedCommand extends TestCommand {
  readonly aborts: boolean[] = [];

  constructor(
    bytes: Uint8Array,
    readonly attribute?: TaskAttribute,
  ) {
    super(bytes, { in: [new Uint8Array(512)] });
  }

  abort(reason: Error, silent: boolean): void {
    this.aborts.push(silent);
    this.controller.abort(reason);
  }
}

function setUp() {
  const disk = new SlowDisk();
  const unit = new LogicalUnit(disk);
  for (const nexus of [alice, bob]) unit.attentions.take(nexus);
  const submit = (lba: number, nexus: Nexus = alice, attribute?: TaskAttribute): AttributedCommand => {
    const command = new AttributedCommand(cdb.read10(lba, 1), attribute);
    unit.submit(command, nexus);
    return command;
  };
  const end = async (...lbas: number[]): Promise<void> => {
    for (const lba of lbas) disk.reads.get(lba)!.resolve();
    await new Promise(setImmediate);
  };
  return { disk, unit, submit, end };
}

const modeSelect = (byte3: number, byte5: number): [Uint8Array, Uint8Array] => {
  const list = Uint8Array.of(0, 0, 0, 0, 0x0a, 0x0a, 0x02, 0x10 | byte3, 0, byte5, 0, 0, 0, 0, 0, 0);
  return [cdb.modeSelect6(list.length), list];
};

/** Set QERR and TAS of the control mode page, and let all nexuses know. */
async function control(unit: LogicalUnit, { qerr = 0, tas = false }): Promise<void> {
  await good(unit, ...modeSelect(qerr << 1, tas ? 0x40 : 0), { nexus: alice });
  unit.attentions.take(bob);
}

const statusesOf = (commands: AttributedCommand[]) =>
  commands.map(({ completions }) => completions[0]?.status);
const { good: GOOD, taskAborted } = scsiStatus;

describe('task attributes', () => {
  it('let simple commands run side by side', async () => {
    const { disk, submit, unit, end } = setUp();
    const commands = [submit(1), submit(2, bob), submit(3)];
    expect(disk.started).to.deep.equal([1, 2, 3]);
    expect(unit.tasks.size).to.equal(3);
    await end(3, 1, 2);
    expect(statusesOf(commands)).to.deep.equal([GOOD, GOOD, GOOD]);
    expect(unit.tasks.size).to.equal(0);
  });

  it('make an ORDERED command wait for all before it, and all after it wait for it', async () => {
    const { disk, submit, end } = setUp();
    const commands = [submit(1), submit(2, bob), submit(3, alice, 'ordered'), submit(4, bob), submit(5)];
    expect(disk.started).to.deep.equal([1, 2]);
    await end(2);
    expect(disk.started).to.deep.equal([1, 2]);
    await end(1);
    expect(disk.started).to.deep.equal([1, 2, 3]);
    await end(3);
    expect(disk.started).to.deep.equal([1, 2, 3, 4, 5]);
    await end(4, 5);
    expect(statusesOf(commands)).to.deep.equal(commands.map(() => GOOD));
  });

  it('let HEAD OF QUEUE pass', async () => {
    const { disk, submit, end } = setUp();
    submit(1);
    submit(2, alice, 'ordered');
    submit(3);
    submit(4, bob, 'headOfQueue');
    expect(disk.started).to.deep.equal([1, 4]);
    await end(1);
    expect(disk.started, 'what came later holds nothing back').to.deep.equal([1, 4, 2]);
    await end(4, 2);
    expect(disk.started).to.deep.equal([1, 4, 2, 3]);
    await end(3);
  });

  it('start a long queue of commands that end at once without a deep stack', async () => {
    const { unit, submit, end } = setUp();
    submit(1, alice, 'ordered');
    const queue = Array.from({ length: 20_000 }, (_, index) => {
      const command = new AttributedCommand(cdb.testUnitReady(), index % 3 === 0 ? 'ordered' : undefined);
      unit.submit(command, bob);
      return command;
    });
    expect(queue[0].completions).to.deep.equal([]);
    await end(1);
    expect(new Set(statusesOf(queue))).to.deep.equal(new Set([GOOD]));
  });

  it('hold in any mix: nothing passes an ORDERED command but HEAD OF QUEUE, and all end', async () => {
    const attribute = fc.constantFrom<TaskAttribute>('simple', 'ordered', 'headOfQueue');
    const steps = fc.array(fc.oneof(attribute, fc.nat(20)), { maxLength: 40 });
    await fc.assert(
      fc.asyncProperty(steps, async (list) => {
        const { disk, submit, end, unit } = setUp();
        const attributes: TaskAttribute[] = [];
        const commands: AttributedCommand[] = [];
        const running = () => disk.started.filter((lba) => commands[lba].completions.length === 0);
        const check = (): void => {
          for (const lba of disk.started) {
            const order = disk.started.indexOf(lba);
            if (attributes[lba] === 'headOfQueue') continue;
            attributes.slice(0, lba).forEach((earlier, at) => {
              // An ORDERED one before it has started before it; one that is ORDERED itself comes after all.
              if (earlier !== 'ordered' && attributes[lba] !== 'ordered') return;
              expect(disk.started.indexOf(at)).to.be.within(0, order - 1);
            });
          }
        };
        for (const step of list) {
          if (typeof step === 'string') {
            attributes.push(step);
            commands.push(submit(commands.length, alice, step));
          } else if (running().length > 0) {
            await end(running()[step % running().length]);
          }
          check();
        }
        while (running().length > 0) await end(running()[0]);
        check();
        expect(unit.tasks.size).to.equal(0);
        for (const { completions } of commands)
          expect(completions.map(({ status }) => status)).to.deep.equal([GOOD]);
      }),
      { numRuns: 100 },
    );
  });
});

describe('ABORT TASK', () => {
  it('ends one command with TASK ABORTED when its verb has ended', async () => {
    const { submit, unit, end } = setUp();
    const [one, two] = [submit(1), submit(2)];
    let aborted = false;
    const done = unit.abort(one).then(() => (aborted = true));
    expect(one.aborts, 'its initiator asked for it').to.deep.equal([true]);
    expect(one.context.signal.aborted).to.equal(true);
    await end(2);
    expect([aborted, one.completions.length]).to.deep.equal([false, 0]);
    await end(1);
    await done;
    expect(statusesOf([one, two])).to.deep.equal([taskAborted, GOOD]);
    expect(one.completions).to.have.length(1);
  });

  it('ends one whose verb fails because of it, all the same', async () => {
    const { submit, unit, disk } = setUp();
    const command = submit(1);
    const done = unit.abort(command);
    disk.reads.get(1)!.reject(new Error('aborted'));
    await done;
    expect(statusesOf([command])).to.deep.equal([taskAborted]);
  });

  it('ends one that has not started at once, and what it held back goes on', async () => {
    const { submit, unit, disk, end } = setUp();
    submit(1);
    const ordered = submit(2, alice, 'ordered');
    submit(3);
    await unit.abort(ordered);
    expect(statusesOf([ordered])).to.deep.equal([taskAborted]);
    expect(disk.started).to.deep.equal([1, 3]);
    await end(1, 3);
  });

  it('does nothing to a command that has ended, and may be asked for twice', async () => {
    const { submit, unit, end } = setUp();
    const command = submit(1);
    const twice = [unit.abort(command), unit.abort(command)];
    await end(1);
    await Promise.all(twice);
    await unit.abort(command);
    expect(command.aborts).to.have.length(1);
    expect(command.completions).to.have.length(1);
  });

  it('needs no abort() of the transport', async () => {
    const { unit, disk } = setUp();
    const command = new TestCommand(cdb.read10(1, 1), { in: [new Uint8Array(512)] });
    unit.submit(command, alice);
    const done = unit.abort(command);
    disk.reads.get(1)!.resolve();
    await done;
    expect((await command.completed).status).to.equal(taskAborted);
  });

  it('reaches the signal of a command in memory', async () => {
    const signals: AbortSignal[] = [];
    const disk = diskWith(new TestDisk(), {
      read: (_buffer, _offset, { signal }) => {
        signals.push(signal);
        return new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
      },
    });
    const unit = readyUnit(disk);
    const controller = new AbortController();
    const answer = run(unit, cdb.read10(0, 1), undefined, { signal: controller.signal });
    await unit.reset();
    expect((await answer).status).to.equal(taskAborted);
    unit.attentions.take({ name: 'x' });
    await refused('6/29/03', unit, cdb.testUnitReady());
    const second = run(unit, cdb.read10(0, 1), undefined, { signal: controller.signal });
    controller.abort();
    expect((await second).status).to.equal(GOOD);
    expect(signals.every(({ aborted }) => aborted)).to.equal(true);
  });
});

describe('ABORT TASK SET and I_T nexus loss', () => {
  for (const verb of ['abortTaskSet', 'nexusLost'] as const) {
    it(`${verb}: end the commands of one nexus, unseen`, async () => {
      const { submit, unit, end } = setUp();
      const commands = [submit(1), submit(2, bob), submit(3)];
      const done = unit[verb](alice);
      await end(1, 2, 3);
      await done;
      expect(statusesOf(commands)).to.deep.equal([taskAborted, GOOD, taskAborted]);
      expect(commands.map(({ aborts }) => aborts)).to.deep.equal([[true], [], [true]]);
    });
  }
});

describe('CLEAR TASK SET', () => {
  it('ends the commands of all; without TAS the others learn of it by a unit attention', async () => {
    const { submit, unit, end } = setUp();
    const commands = [submit(1), submit(2, bob)];
    const done = unit.clearTaskSet(alice);
    await end(1, 2);
    await done;
    expect(statusesOf(commands)).to.deep.equal([taskAborted, taskAborted]);
    expect(commands.map(({ aborts }) => aborts)).to.deep.equal([[true], [true]]);
    await good(unit, cdb.testUnitReady(), undefined, { nexus: alice });
    await refused('6/2f/00', unit, cdb.testUnitReady(), undefined, { nexus: bob });
  });

  it('tells the others by TASK ABORTED with TAS', async () => {
    const { submit, unit, end } = setUp();
    await control(unit, { tas: true });
    const commands = [submit(1), submit(2, bob)];
    const done = unit.clearTaskSet(alice);
    await end(1, 2);
    await done;
    expect(commands.map(({ aborts }) => aborts)).to.deep.equal([[true], [false]]);
    await good(unit, cdb.testUnitReady(), undefined, { nexus: bob });
  });
});

describe('LOGICAL UNIT RESET', () => {
  it('ends all commands, puts mode pages back, and is told to all', async () => {
    const { submit, unit, end } = setUp();
    await control(unit, { tas: true });
    const commands = [submit(1), submit(2, bob, 'ordered')];
    const done = unit.reset(alice);
    await end(1);
    await done;
    expect(statusesOf(commands)).to.deep.equal([taskAborted, taskAborted]);
    expect(commands.map(({ aborts }) => aborts)).to.deep.equal([[true], [false]]);
    for (const nexus of [alice, bob]) {
      await refused('6/29/03', unit, cdb.testUnitReady(), undefined, { nexus });
      await good(unit, cdb.testUnitReady(), undefined, { nexus });
    }
    expect(unit.modes.taskAbortedStatus).to.equal(false);
  });

  it('takes the place of every unit attention before it', async () => {
    const { unit } = setUp();
    unit.attentions.establish(0x2a01);
    unit.attentions.establishFor(alice, 0x2f00);
    await unit.reset();
    unit.attentions.establish(0x2a09);
    for (const code of ['6/29/03', '6/2a/09']) {
      await refused(code, unit, cdb.testUnitReady(), undefined, { nexus: alice });
    }
    await good(unit, cdb.testUnitReady(), undefined, { nexus: alice });
  });
});

describe('QERR', () => {
  const failing = cdb.read10(2048, 1);
  for (const [qerr, expected] of [
    [0, [GOOD, GOOD]],
    [1, [taskAborted, taskAborted]],
    [3, [taskAborted, GOOD]],
  ] as const) {
    it(`${qerr}: says which commands an error ends`, async () => {
      const { submit, unit, end } = setUp();
      await control(unit, { qerr });
      const commands = [submit(1), submit(2, bob)];
      await refused('5/21/00', unit, failing, undefined, { nexus: alice });
      await end(1, 2);
      expect(statusesOf(commands)).to.deep.equal(expected);
      if (qerr === 1) await refused('6/2f/00', unit, cdb.testUnitReady(), undefined, { nexus: bob });
    });
  }

  it('of the reserved value is refused', async () => {
    await refused('5/26/00', setUp().unit, ...modeSelect(0x04, 0), { nexus: alice });
  });
});
