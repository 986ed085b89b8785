import { expect } from 'chai';
import * as cdb from '../../src/scsi/cdb.js';
import type { CommandContext } from '../../src/scsi/disk.js';
import type { PendingCommand } from '../../src/testing/pending-command.js';
import { diskWith, TestDisk } from '../scsi/support/disk.js';
import { Deferred } from '../scsi/support/unit.js';
import { outcome, serve, turns } from './support.js';

/*
 * Two commands, each of which is put on the ring, perhaps aborted, and ended by its verb; and a consumer that looks
 * at its ring at any moment. Every order of these steps is run.
 */

type Step = 'queue A' | 'queue B' | 'abort A' | 'reset' | 'end A' | 'end B' | 'look';

const before: Partial<Record<Step, Step[]>> = {
  'abort A': ['queue A'],
  'end A': ['queue A', 'look'],
  'end B': ['queue B', 'look'],
};

/** Every order of `steps` in which each comes after what must be before it. */
function* orders(steps: readonly Step[], done: readonly Step[] = []): Generator<Step[]> {
  if (steps.length === 0) yield [...done];
  const tried = new Set<Step>();
  for (const [index, step] of steps.entries()) {
    if (tried.has(step) || !(before[step] ?? []).every((other) => done.includes(other))) continue;
    tried.add(step);
    yield* orders(steps.toSpliced(index, 1), [...done, step]);
  }
}

/** A verb that has begun. */
interface Running {
  readonly signal: AbortSignal;
  readonly done: Deferred;
}

async function play(steps: readonly Step[], listens: boolean): Promise<void> {
  const running = new Map<number, Running>();
  const disk = diskWith(new TestDisk(), {
    read(_buffer: Uint8Array, offset: number, { signal }: CommandContext) {
      const done = new Deferred();
      running.set(offset, { signal, done });
      if (listens) signal.addEventListener('abort', () => done.reject(signal.reason as Error));
      return done.promise;
    },
  });
  const { kernel, device, log } = await serve(
    disk,
    {},
    { tmrNotification: true, dataBlocks: 16, ringSize: 4096 },
  );
  const commands = new Map<string, PendingCommand>();
  const aborted = new Set<string>();
  const ended = new Set<string>();
  await device.quiesce();
  for (const step of steps) {
    const [verb, name] = step.split(' ');
    const offset = name === 'A' ? 512 : 1024;
    if (verb === 'queue') {
      commands.set(name, kernel.queue({ cdb: cdb.read10(offset / 512, 1), dataInLength: 512 }));
    } else if (verb === 'abort') {
      if (!ended.has('A')) aborted.add('A');
      kernel.abortTask(commands.get('A')!);
    } else if (verb === 'reset') {
      for (const each of commands.keys()) if (!ended.has(each)) aborted.add(each);
      kernel.lunReset();
    } else if (verb === 'look') {
      // Each look is a turn of the event loop in which the consumer sees its ring; then it looks away again.
      device.resume();
      await turns(2);
      void device.quiesce();
    } else {
      const verbs = running.get(offset);
      if (!verbs) continue;
      verbs.done.resolve();
      await turns(2);
      if (verbs.signal.aborted) expect(aborted, steps.join()).to.include(name);
      ended.add(name);
    }
  }
  device.resume();
  await turns(2);
  for (const [offset, { signal, done }] of running) {
    const name = offset === 512 ? 'A' : 'B';
    // Told, where it still ran when the consumer heard of it.
    if (aborted.has(name) && !ended.has(name))
      expect(signal.aborted, `${steps.join()}: ${name}`).to.equal(true);
    done.resolve();
  }
  await turns(2);
  for (const [name, command] of commands) {
    const answer = outcome(await command.done);
    expect(answer, `${steps.join()}: ${name}`).to.equal(aborted.has(name) ? 'status 40' : 'status 0');
  }
  expect(kernel.unfinished, steps.join()).to.equal(0);
  expect(kernel.broken).to.equal(false);
  expect(kernel.entriesOnRing).to.equal(0);
  // That a verb ends as it was told to is no fault.
  expect(log.lines.filter((line) => line.includes('failed'))).to.deep.equal([]);
  await device.close(0);
}

describe('abort and completion', () => {
  for (const listens of [true, false]) {
    const who = listens ? 'a verb that listens' : 'a verb that does not listen';
    for (const management of ['abort A', 'reset'] as const) {
      it(`in every order, with ${management === 'reset' ? 'LUN RESET' : 'ABORT TASK'} and ${who}`, async function () {
        this.timeout(60_000);
        let count = 0;
        for (const steps of orders(['queue A', 'queue B', 'look', 'look', management, 'end A', 'end B'])) {
          await play(steps, listens);
          count++;
        }
        expect(count).to.be.above(100);
      });
    }
  }
});
