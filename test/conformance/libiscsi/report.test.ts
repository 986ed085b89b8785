import { expect } from 'chai';

interface Result {
  name: string;
  outcome: 'passed' | 'failed' | 'skipped';
  detail: string[];
}

interface Run {
  configuration: {
    name: string;
    about: string;
    target: string;
    leftOut?: { tests: string[]; why: string }[];
  };
  started: string;
  command: string;
  results: Map<string, Result>;
}

interface Report {
  tally(results: Map<string, Result>): { passed: number; failed: number; skipped: number };
  verdict(tests: string[], runs: Run[]): Record<'passed' | 'failed' | 'never' | 'argued', string[]>;
  report(outcome: { versions: string; tests: string[]; runs: Run[] }): string;
}

interface Configurations {
  globMatcher(glob: string): (test: string) => boolean;
}

const load = async <Module>(specifier: string): Promise<Module> => (await import(specifier)) as Module;
const reports = await load<Report>('./report.mjs');
const configurations = await load<Configurations>('./configurations.mjs');

const tests = ['Read10.Simple', 'Read10.Async', 'Write10.Simple', 'Unmap.VPD'];

/** @param outcomes a letter for each test: p, f, s */
function run(
  name: string,
  target: string,
  outcomes: string,
  leftOut?: { tests: string[]; why: string }[],
): Run {
  const words = { p: 'passed', f: 'failed', s: 'skipped' } as const;
  const results = tests.map((test, index): [string, Result] => [
    test,
    { name: test, outcome: words[outcomes[index] as keyof typeof words], detail: [] },
  ]);
  return {
    configuration: { name, about: `about ${name}`, target, leftOut },
    started: `start ${name}`,
    command: `run ${name}`,
    results: new Map(results),
  };
}

describe('report of the conformance runs', () => {
  it('counts a test as failed that failed in any configuration of ours', () => {
    const runs = [run('one', 'lunette', 'ppss'), run('two', 'lunette', 'fspf'), run('peer', 'tgt', 'pfff')];
    expect(reports.verdict(tests, runs)).to.deep.equal({
      passed: ['Read10.Async', 'Write10.Simple'],
      failed: ['Read10.Simple', 'Unmap.VPD'],
      never: [],
      argued: [],
    });
    expect(reports.tally(runs[2].results)).to.deep.equal({ passed: 1, failed: 3, skipped: 0 });
  });

  it('does not let a peer’s passes count for ours', () => {
    const runs = [run('one', 'lunette', 'ppps'), run('peer', 'tgt', 'pppp')];
    expect(reports.verdict(tests, runs).never).to.deep.equal(['Unmap.VPD']);
  });

  it('says the same of the same results, and why tests were left out', () => {
    const leftOut = [{ tests: ['Unmap.*'], why: 'no reason' }];
    const runs = [run('one', 'lunette', 'ppps', leftOut), run('two', 'lunette', 'ppps', leftOut)];
    const text = reports.report({ versions: 'Versions', tests, runs });
    expect(text).to.equal(reports.report({ versions: 'Versions', tests, runs }));
    expect(text).to.contain('- `Unmap.*` (one, two): no reason');
    expect(text).to.match(/^\| one +\| about one +\| 3 +\| 0 +\| 1 +\|$/m);
    expect(text).to.match(/^\| Unmap.VPD +\| – +\| – +\|$/m);
    expect(text).to.contain('3 of the 4 tests pass');
  });
});

describe('globs over the suite’s tests', () => {
  it('name suites where they have no dot', () => {
    const matching = (glob: string): string[] => tests.filter(configurations.globMatcher(glob));
    expect(matching('Read10')).to.deep.equal(['Read10.Simple', 'Read10.Async']);
    expect(matching('*.Simple')).to.deep.equal(['Read10.Simple', 'Write10.Simple']);
    expect(matching('R?ad*')).to.deep.equal(['Read10.Simple', 'Read10.Async']);
    expect(matching('Read')).to.deep.equal([]);
    expect(matching('Unmap.V+')).to.deep.equal([]);
  });
});
