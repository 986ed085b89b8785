import { expect } from 'chai';
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { stackOfWorker } from '../../../src/daemon/loop/blocked-stack.js';
import { ThreadWatch } from '../../../src/daemon/loop/thread-watch.js';
import { loopWord } from '../../../src/device/loop-marks.js';

type Line = readonly [{ device?: string; where: string; stack: string[] }, string];

/** A thread that leaves marks, and once it is told runs `script` in a READ(10). */
function thread(memory: SharedArrayBuffer, script: string): Worker {
  return new Worker(
    `const { parentPort, workerData } = require('node:worker_threads');
    const words = new Int32Array(workerData);
    setInterval(() => {
      if (Atomics.add(words, ${loopWord.beat}, 1) === 0) parentPort.postMessage('ready');
    }, 5);
    function busyHandler(milliseconds) { for (const end = Date.now() + milliseconds; Date.now() < end; ); }
    parentPort.on('message', () => {
      words[${loopWord.opcode}] = 0x28;
      words[${loopWord.active}] = 1;
      ${script}
      parentPort.postMessage('done');
    });`,
    { eval: true, workerData: memory, execArgv: [] },
  );
}

async function blocked(script: string): Promise<Line[]> {
  const lines: Line[] = [];
  let over!: () => void;
  const isOver = new Promise<void>((resolve) => (over = resolve));
  const log = {
    warn: (...line: Line) => {
      lines.push(line);
      if (lines.length === 2) over();
    },
  };
  const watch = new ThreadWatch({ threshold: 100, log: log as never });
  const watched = watch.add();
  const worker = thread(watched.memory, script);
  watched.worker = worker;
  watched.device = 'user_0/disk1';
  try {
    await once(worker, 'message');
    worker.postMessage('go');
    const [last] = (await once(worker, 'message')) as [string];
    expect(last, 'the thread goes on').to.equal('done');
    await isOver;
  } finally {
    await worker.terminate();
    watch.remove(watched);
  }
  return lines;
}

describe('ThreadWatch', function () {
  this.timeout(20_000);

  it('tells from the main thread which command and which function of a thread do not end', async () => {
    const [[first, said], [, after]] = await blocked('busyHandler(1500);');
    expect(first).to.deep.include({ device: 'user_0/disk1', where: 'in READ(10) of user_0/disk1' });
    expect(first.stack[0]).to.match(/^ {4}at busyHandler \(.+:\d+:\d+\)$/);
    expect(said).to.match(
      /^user_0\/disk1: the event loop has not turned for \d+ ms: in READ\(10\) of user_0\/disk1\n +at busyHandler/,
    );
    expect(after).to.match(/^user_0\/disk1: the event loop turns again after \d+ ms: it was blocked in READ/);
  });

  it('tells of one that waits in the system, which has no stack, and leaves it be', async () => {
    const [[first], [, after]] = await blocked(
      "require('node:child_process').execFileSync('sleep', ['1.5']); busyHandler(1);",
    );
    expect(first.stack).to.deep.equal([]);
    expect(after).to.match(/turns again/);
  });

  it('has no stack of a thread that is gone', async () => {
    const worker = new Worker('', { eval: true, execArgv: [] });
    const { threadId } = worker;
    await once(worker, 'exit');
    expect(await stackOfWorker(threadId)).to.deep.equal([]);
  });
});
