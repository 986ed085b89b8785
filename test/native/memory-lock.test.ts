import { spawnSync } from 'node:child_process';
import { expect } from 'chai';
import { cleanExit, runScript, withAddon } from './support/script.js';

const isRoot = process.getuid?.() === 0;

/** Kilobytes of proc_pid_status(5). */
const STATUS = `
  const status = (field) => Number(
    new RegExp('^' + field + ':\\\\s+(\\\\d+) kB', 'm').exec(readFileSync('/proc/self/status', 'utf8'))[1]);
`;

/** What a process says that has other capabilities, and may lock 64 KiB. */
function lockedBy(...setpriv: string[]): string {
  const script = withAddon(`
    const result = addon.lockMemory();
    const [line] = /^VmLck:.*$/m.exec(readFileSync('/proc/self/status', 'utf8'));
    console.log(result, line.replace(/\\s+/g, ' '));
  `);
  const node = ['prlimit', '--memlock=65536', process.execPath, '-e', script];
  return spawnSync('setpriv', [...setpriv, ...node], { encoding: 'utf8' }).stdout.trim();
}

describe('lockMemory', () => {
  before(function () {
    if (!isRoot) this.skip();
  });

  it('locks the program, and reads nothing in for it', async () => {
    const result = await runScript(`
      ${STATUS}
      gc();
      const before = status('VmRSS');
      assert.equal(addon.lockMemory(), true);
      assert.ok(status('VmLck') > 10_000);
      const more = status('VmRSS') - before;
      assert.ok(more < 10_000, more + ' kB more');
    `);
    expect(result).to.deep.equal(cleanExit(''));
  });

  it('leaves the heap free to shrink, and threads free to come and go', async () => {
    const result = await runScript(`
      assert.equal(addon.lockMemory(), true);
      let objects = [];
      for (let i = 0; i < 300_000; i++) objects.push({ i, text: 'object ' + i });
      objects = objects.filter((_, i) => i % 1000 === 0);
      // Collects with the aim of giving memory back, which V8 does otherwise only when it has long been idle.
      const snapshot = require('node:v8').getHeapSnapshot();
      snapshot.resume().on('end', () => {
        new Worker("new Array(100_000).fill().map((_, i) => ({ i }))", { eval: true }).on('exit', (code) => {
          console.log(objects.length, code);
        });
      });
    `);
    expect(result).to.deep.equal(cleanExit('300 0\n'));
  });

  it('locks nothing where it may not', () => {
    expect(lockedBy('--bounding-set', '-ipc_lock,-sys_resource')).to.equal('false VmLck: 0 kB');
  });

  it('raises the limit where it may, and locks nothing where it may not', () => {
    const mayRaise = spawnSync('prlimit', ['--memlock=unlimited', 'true']).status === 0;
    const outcome = mayRaise ? /^true VmLck: [1-9]/ : /^false VmLck: 0 kB/;
    expect(lockedBy('--bounding-set', '-ipc_lock')).to.match(outcome);
  });
});
