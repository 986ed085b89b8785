import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';

const checkout = fileURLToPath(new URL('../../', import.meta.url));

function run(script: string, ...args: string[]): { status: number | null; stdout: string } {
  return spawnSync(process.execPath, [join(checkout, 'bench', script), ...args], { encoding: 'utf8' });
}

describe('the bench', () => {
  it('lists its parts and examples', () => {
    const { status, stdout } = run('run.mjs', '--help');
    expect(status).to.equal(0);
    for (const part of ['ring', 'cost', 'scale', 'take-over', 'iscsi', 'lab'])
      expect(stdout).to.contain(part);
    expect(stdout).to.match(/npm run bench -- --only \S/);
  });

  it('refuses a part that there is not, and an option', () => {
    const part = run('run.mjs', '--only', 'ring,rings');
    expect(part.status).to.equal(2);
    expect(part.stdout).to.contain("no part 'rings'").and.contain('take-over');
    expect(run('run.mjs', '--quikc').status).to.equal(2);
  });

  for (const [script, args, complaint] of [
    ['ring/run.mjs', ['--rounds', '0'], '--rounds 0: must be a whole number from 1'],
    ['ring/run.mjs', ['--seconds', 'soon'], '--seconds soon: must be a number above 0'],
    ['ring/run.mjs', ['--grep', '('], '--grep (: must be a regular expression'],
    ['cost/run.mjs', ['--idle', '-1'], "'--idle'"],
    ['scale/run.mjs', ['--devices', '1.5'], '--devices 1.5: must be a whole number from 1'],
    ['take-over/run.mjs', ['--isolation', 'vm'], '--isolation vm: must be one of none, thread, process'],
    ['iscsi/run.mjs', ['--seconds', '0.5'], '--seconds 0.5: must be a whole number from 1'],
    ['lab/run.mjs', ['--grep', 'no such pass'], "no pass is named like 'no such pass'"],
  ] as const) {
    it(`${script} says what is wrong with ${args.join(' ')}, before it does anything`, () => {
      const { status, stdout } = run(script, ...args);
      expect(status).to.equal(1);
      expect(stdout).to.contain(complaint);
    });
  }

  it('names the parts that failed, runs the others, and says so in its exit status', () => {
    // No folder can be made there, which each part notices before it runs.
    const { status, stdout } = run(
      'run.mjs',
      '--only',
      'ring,cost',
      '--quick',
      '--results',
      '/dev/null/none',
    );
    expect(status).to.equal(1);
    expect(stdout).to.contain('failed: bench:ring').and.contain('failed: bench:cost');
    expect(stdout).to.contain('(2 of 2').and.not.contain('results:');
  });
});
