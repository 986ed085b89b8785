import { readFileSync } from 'node:fs';
import { URL } from 'node:url';

/** @typedef {import('./suite-output.mjs').TestResult} TestResult */
/** @typedef {{ configuration: import('./configurations.mjs').Configuration, command: string, started: string, results: Map<string, TestResult> }} Run */

/**
 * Tests that no conforming unit passes, each with the clause that says why.
 * @type {{ test: string, why: string }[]}
 */
export const cannotPass = JSON.parse(readFileSync(new URL('cannot-pass.json', import.meta.url), 'utf8'));

const remarks = [
  'On tgt with thin provisioning most failures follow from a COMPARE AND WRITE or GET LBA STATUS that was refused: after one, `Read16`, `OrWrite` and others fail that pass when they are run alone.',
  '`iSCSITMF.LUNResetSimpleAsync` of 1.19.0 does nothing, and passes, where `AbortTaskSimpleAsync` came before it and ended the session; run alone it fails on every target, as it looks at the answer before it has waited for one. Upstream has mended it (commit 5553d6b). Lunette’s own tests of task management, in test/iscsi, cover what it meant.',
];

const marks = { passed: '✓', failed: '✗', skipped: '–' };

/**
 * @param {ReadonlyMap<string, TestResult>} results
 * @returns {{ passed: number, failed: number, skipped: number }}
 */
export function tally(results) {
  const counts = { passed: 0, failed: 0, skipped: 0 };
  for (const { outcome } of results.values()) counts[outcome]++;
  return counts;
}

/**
 * What the runs say of Lunette as a whole; other targets' runs do not count.
 * @param {string[]} tests
 * @param {Run[]} runs
 * @returns {{ passed: string[], failed: string[], never: string[], argued: string[] }} `failed` in any
 *   configuration; `never`: neither failed nor passed in any; `argued`: neither passed nor expected to
 */
export function verdict(tests, runs) {
  const ours = runs.filter(({ configuration }) => configuration.target === 'lunette');
  const any = (test, outcome) => ours.some(({ results }) => results.get(test)?.outcome === outcome);
  const isArgued = new Set(cannotPass.map(({ test }) => test));
  const failed = tests.filter((test) => any(test, 'failed') && !isArgued.has(test));
  const passed = tests.filter((test) => any(test, 'passed') && !failed.includes(test));
  const rest = tests.filter((test) => !passed.includes(test) && !failed.includes(test));
  return {
    passed,
    failed,
    never: rest.filter((test) => !isArgued.has(test)),
    argued: rest.filter((test) => isArgued.has(test)),
  };
}

/**
 * Columns of equal width, as prettier would set them.
 * @param {string[][]} rows the first is the head
 * @returns {string}
 */
export function table(rows) {
  const widths = rows[0].map((_, column) => Math.max(3, ...rows.map((row) => row[column].length)));
  const line = (cells) => `| ${cells.map((cell, column) => cell.padEnd(widths[column])).join(' | ')} |`;
  const [head, ...body] = rows;
  return [line(head), line(widths.map((width) => '-'.repeat(width))), ...body.map(line)].join('\n');
}

/** What the configurations leave out, a line for each reason. */
function leftOut(runs) {
  const reasons = new Map();
  for (const { configuration } of runs) {
    for (const { tests, why } of configuration.leftOut ?? []) {
      const where = reasons.get(why) ?? { tests, names: [] };
      where.names.push(configuration.name);
      reasons.set(why, where);
    }
  }
  const lines = [...reasons].map(
    ([why, { tests, names }]) =>
      `- ${tests.map((test) => `\`${test}\``).join(', ')} (${names.join(', ')}): ${why}`,
  );
  const careful = runs.filter(({ configuration }) => configuration.dataloss !== undefined);
  return [
    ...lines,
    ...careful.map(
      ({ configuration: { name, dataloss } }) =>
        `- Tests that write (${name}): the suite runs without \`--dataloss\`, which makes it skip them, except for ${dataloss.map((glob) => `\`${glob}\``).join(', ')}.`,
    ),
  ];
}

/**
 * @param {{ versions: string, tests: string[], runs: Run[] }} outcome
 * @returns {string} docs/conformance.md; the same bytes for the same results
 */
export function report({ versions, tests, runs }) {
  const { passed } = verdict(tests, runs);
  const summary = runs.map(({ configuration, results }) => {
    const { passed, failed, skipped } = tally(results);
    return [configuration.name, configuration.about, `${passed}`, `${failed}`, `${skipped}`];
  });
  const rows = tests.map((test) => [
    test,
    ...runs.map(({ results }) => marks[results.get(test)?.outcome ?? 'skipped']),
  ]);
  const argued =
    cannotPass.length === 0
      ? ['None.']
      : cannotPass
          .map(({ test, why }) => `- \`${test}\`: ${why}`)
          .join('\n')
          .split('\n');
  return [
    '# Conformance with libiscsi’s suite',
    '',
    `Written by \`npm run conformance\`, which runs every test of libiscsi’s \`iscsi-test-cu\` against Lunette’s embedded iSCSI target, and against tgt for comparison, each configuration with a fresh logical unit of its own. ${versions}. ${passed.length} of the ${tests.length} tests pass in at least one configuration of Lunette.`,
    '',
    'A test that prints `[SKIPPED]`, even for a part of it, counts as skipped here; the suite’s own summary counts it as passed.',
    '',
    '## Summary',
    '',
    table([['Configuration', 'Logical unit', 'Passed', 'Failed', 'Skipped'], ...summary]),
    '',
    '## What was run',
    '',
    ...runs.flatMap(({ configuration, started, command }) => [
      `${configuration.name}:`,
      '',
      '```sh',
      started,
      command,
      '```',
      '',
    ]),
    '## Tests left out of a configuration',
    '',
    'They count as skipped there, and pass in another.',
    '',
    ...leftOut(runs),
    '',
    '## Tests that no conforming unit passes',
    '',
    ...argued,
    '',
    '## Remarks',
    '',
    ...remarks.map((remark) => `- ${remark}`),
    '',
    '## Test by test',
    '',
    '✓ passed, ✗ failed, – skipped.',
    '',
    table([['Test', ...runs.map(({ configuration }) => configuration.name)], ...rows]),
    '',
  ].join('\n');
}
