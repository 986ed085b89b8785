import { say } from '../support/bench.mjs';
import { median, ratios, spread, spreadText } from '../support/median.mjs';
import { barOf } from '../support/plot.mjs';
import { comparisons } from './passes.mjs';

/*
 * Of the figures of all rounds: medians, ratios, tables, and a chart.
 */

/**
 * @param {{ name: string, goals: object }} pass
 * @param {readonly { pass: string, disk: string, iops: number, p99: number }[]} figures of all passes, as they came
 * @returns {{ pass: string, iops: object, p99: object, ratios: object[] }} medians by disk, and ratios round by round
 */
export function summarize({ name, goals }, figures) {
  const of = (disk, value) =>
    figures.filter((figure) => figure.pass === name && figure.disk === disk).map((figure) => figure[value]);
  const disks = [...new Set(figures.map(({ disk }) => disk))];
  const medians = (value) =>
    Object.fromEntries(
      disks.filter((disk) => of(disk, value).length > 0).map((disk) => [disk, median(of(disk, value))]),
    );
  const compared = comparisons.flatMap(({ name: what, goal, ours, theirs }) => {
    const rounds = Math.min(of(ours, 'iops').length, of(theirs, 'iops').length);
    if (rounds === 0) return [];
    const byRound = (value) => ratios(of(ours, value).slice(0, rounds), of(theirs, value).slice(0, rounds));
    const iops = byRound('iops');
    return [
      {
        what,
        goal: goals[goal],
        ratio: median(iops),
        spread: spread(iops),
        rounds: iops,
        p99: median(byRound('p99')),
      },
    ];
  });
  return { pass: name, iops: medians('iops'), p99: medians('p99'), ratios: compared };
}

/** @param {readonly ReturnType<typeof summarize>[]} rows at least one */
export function printTables(rows) {
  const disks = Object.keys(rows[0].iops);
  const rule = (columns) => `| --- |${' ---: |'.repeat(columns)}`;
  say(`\n| IOPS (p99, µs) | ${disks.join(' | ')} |\n${rule(disks.length)}`);
  for (const { pass, iops, p99 } of rows) {
    const cells = disks.map((disk) => `${Math.round(iops[disk])} (${Math.round(p99[disk])})`);
    say(`| ${pass} | ${cells.join(' | ')} |`);
  }
  say(
    `\n| IOPS, ratio (spread; goal); p99, ratio | ${comparisons.map(({ name }) => name).join(' | ')} |\n${rule(comparisons.length)}`,
  );
  for (const row of rows) {
    const cells = comparisons.map(({ name }) => {
      const found = row.ratios.find(({ what }) => what === name);
      if (!found) return '';
      const goal = found.goal === undefined ? '' : `; ${found.goal}`;
      return `${found.ratio.toFixed(2)} (${spreadText(found.rounds)}${goal}); ${found.p99.toFixed(2)}`;
    });
    say(`| ${row.pass} | ${cells.join(' | ')} |`);
  }
}

/** @param {readonly ReturnType<typeof summarize>[]} rows @returns {import('../support/plot.mjs').Chart} */
export function chart(rows) {
  const bars = comparisons.flatMap(({ name }) =>
    rows.flatMap(({ pass, ratios: compared }) =>
      compared
        .filter(({ what }) => what === name)
        .map(({ rounds, ratio, goal }) => barOf(`${name}, ${pass}`, rounds, { value: ratio, goal })),
    ),
  );
  return { title: 'Loopback disks in the kernel lab', axis: 'ratio of their IOPS', bars };
}
