import { expect } from 'chai';
import { execFile } from 'node:child_process';
import { LoopWatch } from '../../../src/daemon/loop/loop-watch.js';

const source = new URL('../../../src/daemon/loop/loop-watch.ts', import.meta.url).href;

interface Setting {
  readonly format: 'text' | 'json';
  readonly level?: 'warn' | 'error';
}

/** Run `script` with the LoopMarks of a LoopWatch in a process of its own. @returns what it wrote, and its log */
function elsewhere({ format, level = 'warn' }: Setting, script: string): Promise<string> {
  const whole = `
    import { LoopWatch } from ${JSON.stringify(source)};
    let isOver;
    const over = new Promise((resolve) => (isOver = resolve));
    const log = {
      isLevelEnabled: (wanted) => wanted === '${level}',
      warn: (text) => { console.log('LOG ' + text); isOver(); },
    };
    const watch = new LoopWatch({ threshold: 100, format: '${format}', log });
    const { marks } = watch;
    const device = marks.register('user_0/disk1');
    await watch.start();
    const turn = () => new Promise((resolve) => setTimeout(resolve, 20));
    for (let turns = 0; turns < 5; turns++) await turn();
    function busyHandler(milliseconds) { for (const end = Date.now() + milliseconds; Date.now() < end; ); }
    ${script}
    await watch.close();`;
  return new Promise((resolve, reject) => {
    const args = ['--import', 'tsx', '--input-type=module', '--eval', whole];
    execFile(process.execPath, args, { timeout: 15_000 }, (error, stdout, stderr) => {
      if (error) reject(new Error(stderr, { cause: error }));
      else resolve(stdout + stderr);
    });
  });
}

describe('LoopWatch', function () {
  this.timeout(20_000);

  it('names the command, and the function that keeps the event loop from turning', async () => {
    const text = await elsewhere(
      { format: 'json' },
      'marks.enter(device, 0x28); busyHandler(1500); marks.leave(); await over;',
    );
    const line = JSON.parse(text.split('\n').find((each) => each.startsWith('{'))!) as {
      level: string;
      where: string;
      stack: string[];
      msg: string;
    };
    expect(line.level).to.equal('warn');
    expect(line.where).to.equal('in READ(10) of user_0/disk1');
    expect(line.stack.join('\n')).to.match(/at busyHandler \(.+:\d+:\d+\)/);
    expect(line.msg).to.match(/has not turned for \d+ ms: in READ\(10\) of user_0\/disk1\n +at busyHandler/);
    expect(text).to.match(/^LOG the event loop turns again after \d{3,} ms: it was blocked in READ\(10\)/m);
  });

  it('writes for people, too', async () => {
    const text = await elsewhere(
      { format: 'text' },
      'marks.enter(device, 0xc1); marks.leave(); busyHandler(1500); await over;',
    );
    expect(text).to.match(/^WARN: .*after operation code c1h of user_0\/disk1, the last command/m);
  });

  it('has no stack of a loop that waits in the system, and leaves it be', async () => {
    const text = await elsewhere(
      { format: 'text' },
      `const { execFileSync } = await import('node:child_process');
       marks.enter(device, 0x28); execFileSync('sleep', ['1.5']); busyHandler(1); marks.leave(); await over;`,
    );
    expect(text).to.match(/^WARN: .*in READ\(10\) of user_0\/disk1$/m);
    expect(text).to.match(/^LOG .*turns again/m);
    expect(text).not.to.match(/^ +at /m);
  });

  it('writes nothing where the log takes no warnings', async () => {
    const text = await elsewhere({ format: 'text', level: 'error' }, 'busyHandler(1500); await over;');
    expect(text).not.to.match(/WARN/);
  });

  it('can be closed at once', async () => {
    const log = { isLevelEnabled: () => true, warn: () => undefined };
    const watch = new LoopWatch({ threshold: 1000, format: 'json', log });
    await watch.close();
    const started = new LoopWatch({ threshold: 1000, format: 'json', log });
    void started.start();
    await started.close();
  });
});
