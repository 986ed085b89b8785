import { expect } from 'chai';
import { execFile } from 'node:child_process';
import { LoopWatch } from '../../src/device/loop-watch.js';

const source = new URL('../../src/device/loop-watch.ts', import.meta.url).href;

/** Run `script` with a LoopWatch named `watch` in a process of its own. @returns what it wrote to stderr */
function elsewhere(options: string, script: string): Promise<string> {
  const whole = `
    import { LoopWatch } from ${JSON.stringify(source)};
    const watch = new LoopWatch({ threshold: 100, commandNames: ${'{ 40: "READ(10)" }'}, ${options} });
    const device = watch.register('user_0/disk1');
    // Until the watching thread runs.
    for (let turn = 0; turn < 30; turn++) await new Promise((resolve) => setTimeout(resolve, 20));
    function busyHandler(milliseconds) { for (const end = Date.now() + milliseconds; Date.now() < end; ); }
    ${script}
    for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setTimeout(resolve, 20));
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
      `format: 'json', onUnblocked: (ms, what) => console.log('again after', ms, what)`,
      'watch.enter(device, 0x28); busyHandler(700); watch.leave();',
    );
    const line = JSON.parse(text.split('\n').find((each) => each.startsWith('{'))!) as {
      level: string;
      where: string;
      stack: string[];
      msg: string;
    };
    expect(line.level).to.equal('error');
    expect(line.where).to.equal('in READ(10) of user_0/disk1');
    expect(line.stack.join('\n')).to.include('busyHandler');
    expect(line.msg).to.match(/has not turned for \d+ ms: in READ\(10\) of user_0\/disk1/);
    expect(text).to.match(/again after \d{3}[\d.]* in READ/);
  });

  it('names the last command where something else blocks it', async () => {
    const text = await elsewhere(
      `format: 'text'`,
      'watch.enter(device, 0xc1); watch.leave(); busyHandler(700);',
    );
    expect(text).to.match(/^ERROR: .*after operation code c1h of user_0\/disk1, the last command/m);
  });

  it('says nothing of a loop that turns', async () => {
    const text = await elsewhere(
      '',
      'for (let turn = 0; turn < 20; turn++) { watch.enter(device, 0x28); busyHandler(5); watch.leave(); await new Promise(setImmediate); }',
    );
    expect(text).not.to.match(/has not turned/);
  });

  it('can be closed at once', async () => {
    await new LoopWatch({ threshold: 1000 }).close();
  });
});
