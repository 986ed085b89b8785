import { expect } from 'chai';

interface Result {
  name: string;
  outcome: string;
  detail: string[];
}

interface Output {
  readonly running: string | undefined;
  take(line: string): void;
  end(reason: string): void;
}

const specifier: string = './suite-output.mjs';
const { SuiteOutput } = (await import(specifier)) as {
  SuiteOutput: new (onResult: (result: Result) => void) => Output;
};

function read(text: string, reason = 'ended'): Result[] {
  const results: Result[] = [];
  const output = new SuiteOutput((result) => results.push(result));
  for (const line of text.split('\n')) output.take(line);
  output.end(reason);
  return results;
}

describe('output of iscsi-test-cu', () => {
  it('tells passed, failed and skipped tests apart', () => {
    const results = read(`
     CUnit - A unit testing framework for C - Version 2.1-3


Suite: Inquiry
  Test: Standard ...passed
  Test: EVPD ...    [SKIPPED] INQUIRY is not implemented.
passed
Suite: Read10
  Test: Simple ...    [FAILED] READ10 command failed
FAILED
    1. test_read10_simple.c:54  - CU_ASSERT_EQUAL(_r,0)
  Test: Async ...    some output
passed

Run Summary:    Type  Total    Ran Passed Failed Inactive
              suites      2      2    n/a      0        0
Tests completed with return value: 0`);
    expect(results.map(({ name, outcome }) => [name, outcome])).to.deep.equal([
      ['Inquiry.Standard', 'passed'],
      ['Inquiry.EVPD', 'skipped'],
      ['Read10.Simple', 'failed'],
      ['Read10.Async', 'passed'],
    ]);
    expect(results[2]?.detail).to.deep.equal([
      '[FAILED] READ10 command failed',
      '1. test_read10_simple.c:54  - CU_ASSERT_EQUAL(_r,0)',
    ]);
  });

  it('does not take what is printed while a suite cleans up for the test’s own', () => {
    const results = read(`Suite: Reserve6
  Test: Logout ...passed    [SKIPPED] PRIN is not implemented.
  Test: LUNReset ...    a line
passed    [FAILED] PRIN command: failed with sense.
Suite: Sanitize`);
    expect(results.map(({ outcome }) => outcome)).to.deep.equal(['passed', 'passed']);
  });

  it('counts a test that broke off as failed', () => {
    const results = read(
      `Suite: Read10
  Test: Simple ...passed
  Test: Async ...    half a li`,
      'ended with SIGSEGV',
    );
    expect(results).to.deep.equal([
      { name: 'Read10.Simple', outcome: 'passed', detail: [] },
      { name: 'Read10.Async', outcome: 'failed', detail: ['half a li', 'ended with SIGSEGV'] },
    ]);
  });
});
