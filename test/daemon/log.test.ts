import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import type { LogFormat, LogLevel } from '../../src/daemon/log.js';

const log = fileURLToPath(new URL('../../src/daemon/log.ts', import.meta.url));

/** What a process writes to stderr (not a terminal) that logs one line of each level and dies at once. */
function logged(level: LogLevel, format: LogFormat): string {
  const script = `import('${log}').then(({ createLog }) => {
    const log = createLog('${level}', '${format}');
    for (const level of ['debug', 'info', 'warn', 'error']) log[level]({ device: 'd' }, level + ' line');
    process.kill(process.pid, 'SIGKILL');
  });`;
  return spawnSync(process.execPath, ['--import', 'tsx', '--eval', script], { encoding: 'utf8' }).stderr;
}

describe('the log', () => {
  it('is JSON where stderr is no terminal, with levels by name, and nothing is lost at a sudden death', () => {
    const lines = logged('info', 'auto')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { level: string; msg: string; device: string });
    expect(lines.map(({ level, msg, device }) => [level, msg, device])).to.deep.equal([
      ['info', 'info line', 'd'],
      ['warn', 'warn line', 'd'],
      ['error', 'error line', 'd'],
    ]);
  });

  it('is text for people on request', () => {
    const text = logged('error', 'text');
    expect(text).to.match(/ERROR: error line/);
    expect(text).not.to.include('warn line');
  });
});
