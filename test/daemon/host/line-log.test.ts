import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';

const source = (path: string): string =>
  fileURLToPath(new URL(`../../../src/daemon/${path}`, import.meta.url));

/** What a process writes to stderr that does this and dies at once; `LineLog`, `createLog` and `pipe` are there. */
function written(script: string): string {
  const whole = `
    import { Socket } from 'node:net';
    import { LineLog } from '${source('host/line-log.ts')}';
    import { createLog } from '${source('log.ts')}';
    const pipe = () => new Socket({ fd: 2 });
    ${script};
    process.kill(process.pid, 'SIGKILL');`;
  const args = ['--import', 'tsx', '--input-type=module', '--eval', whole];
  return spawnSync(process.execPath, args, { encoding: 'utf8', maxBuffer: 2 ** 25 }).stderr;
}

function entries(text: string): Record<string, unknown>[] {
  return text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

describe('the log of a thread', () => {
  it('has the lines of any other log, and loses none at a sudden death', () => {
    const [ours, theirs]: Record<string, unknown>[][] = [
      "new LineLog('info', 'json')",
      "createLog('info', 'json')",
    ].map((log) =>
      entries(
        written(`const log = ${log};
          for (const level of ['debug', 'info', 'warn', 'error']) log[level]({ device: 'd' }, level + ' line');
          log.error('without fields');
          log.level = 'error';
          log.warn('no more');`),
      ).map((entry) => ({ ...entry, time: typeof entry.time, pid: typeof entry.pid })),
    );
    expect(ours).to.deep.equal(theirs);
    expect(ours.map(({ msg }) => msg)).to.deep.equal([
      'info line',
      'warn line',
      'error line',
      'without fields',
    ]);
  });

  it('knows which levels it writes', () => {
    const text = written(`const log = new LineLog('warn', 'json');
      log.error(String(['debug', 'info', 'warn', 'error'].map((level) => log.isLevelEnabled(level))));`);
    expect(entries(text)[0].msg).to.equal('false,false,true,true');
  });

  it('waits where stderr is a pipe that is full', () => {
    const count = 5000;
    const text = written(`pipe();
      const log = new LineLog('info', 'json');
      for (let line = 0; line < ${count}; line++) log.info({ line }, 'x'.repeat(200));`);
    expect(entries(text).map(({ line }) => line)).to.deep.equal(
      Array.from({ length: count }, (_, line) => line),
    );
  });

  it('is text for people on request', () => {
    const text = written(`const log = new LineLog('warn', 'text');
      log.info('info line'); log.warn('warn line')`);
    expect(text).to.match(/WARN: warn line/);
    expect(text).not.to.include('info line');
  });
});
