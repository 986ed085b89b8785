import { expect } from 'chai';
import { failuresOfLio, skippedOfLio } from './support/expected-of-lio.js';
import { IscsiLun, runSuite, suiteTests, type SuiteResult } from './support/libiscsi.js';
import { moodyHandler, useLunette } from './support/lunette.js';

/** Has to find the operation still going after some seconds, so it needs a disk that takes longer. */
const needsSlowDisk = (name: string): boolean => name === 'Sanitize.Reset';
const needsTwoPaths = (name: string): boolean => name.startsWith('MultipathIO.');

describe('libiscsi’s suite, through LIO’s iSCSI target and TCMU', () => {
  const lunette = useLunette({ args: ['--handler', moodyHandler], expectedAlarms: /./ });
  let tests: string[];
  const results = new Map<string, SuiteResult>();
  const named = (outcome: SuiteResult['outcome']): string[] =>
    tests.filter((name) => results.get(name)?.outcome === outcome);
  const listed = { failed: failuresOfLio, skipped: skippedOfLio };
  const unlisted = (outcome: 'failed' | 'skipped'): string =>
    named(outcome)
      .filter((name) => !(name in listed[outcome]))
      .map((name) => [name, ...(results.get(name)?.detail ?? [])].join('\n  '))
      .join('\n');

  before(async function () {
    this.timeout(400_000);
    tests = await suiteTests();
    const disk = await IscsiLun.create('user:memory', '256M', '');
    const slow = await IscsiLun.create('user:moody', '64M', '?delay=200');
    slow.notifyTaskManagement();
    const special = [needsSlowDisk, needsTwoPaths];
    const usual = tests.filter((name) => !special.some((needs) => needs(name)));
    const onDisk = async (): Promise<SuiteResult[]> => [
      ...(await runSuite([disk.url()], usual, 'usual')),
      ...(await runSuite([disk.url(), disk.url('127.0.0.2')], tests.filter(needsTwoPaths), 'paths')),
    ];
    const runs = await Promise.all([runSuite([slow.url()], tests.filter(needsSlowDisk), 'slow'), onDisk()]);
    for (const result of runs.flat()) results.set(result.name, result);
    await disk.remove();
    await slow.remove();
  });

  it('has each of the 230 tests end', () => {
    expect(tests).to.have.length(230);
    expect(results.size).to.equal(tests.length);
  });

  it('has no failure but those that the kernel causes', () => {
    expect(unlisted('failed')).to.equal('');
  });

  it('skips no test but those that the kernel or the kind of disk has it skip', () => {
    expect(unlisted('skipped')).to.equal('');
  });

  it('fails and skips all that is listed: nothing on the lists passes', () => {
    for (const outcome of ['failed', 'skipped'] as const) {
      const others = Object.keys(listed[outcome]).filter((name) => results.get(name)?.outcome !== outcome);
      expect(others, outcome).to.deep.equal([]);
    }
  });

  lunette.endsQuietly();
});
