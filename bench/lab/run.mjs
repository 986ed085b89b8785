import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { runGuest } from '../../test/kernel/lab/machine.mjs';
import { installPackages } from '../../test/kernel/lab/packages.mjs';
import { checkout, say } from '../support/bench.mjs';
import { median, ratios, spread } from '../support/median.mjs';
import { comparisons, passes, quickPasses } from './passes.mjs';
import { buildFileExample } from './peer.mjs';

/*
 * `npm run bench:lab`: fio on loopback disks of lunette, of tcmu-runner and of the kernel itself, in one boot of the
 * kernel lab, in turns. The figures are ratios of one machine at one hour: a system call costs six times as much in
 * the lab as natively, so they say nothing of native speed.
 */

const usage = `npm run bench:lab -- [options]

  --rounds N      turns of each disk (default 5, --quick 1)
  --seconds N     length of one fio pass (default 2, --quick 1)
  --grep TEXT     only passes whose names match this regular expression
  --quick         few passes, once: whether it runs, rather than how fast
  --console       print the guest's console
  --json FILE     where the results go (default bench/results/lab.json)`;

const { values } = parseArgs({
  options: {
    rounds: { type: 'string' },
    seconds: { type: 'string' },
    grep: { type: 'string', default: '' },
    quick: { type: 'boolean', default: false },
    console: { type: 'boolean', default: false },
    json: { type: 'string', default: join(checkout, 'bench/results/lab.json') },
    help: { type: 'boolean', default: false },
  },
});

/** @returns {{ pass: string, iops: object, p99: object, ratios: object[] }} medians by disk, and ratios round by round */
function summarize({ name, goals }, figures) {
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
    const byRound = ratios(of(ours, 'iops').slice(0, rounds), of(theirs, 'iops').slice(0, rounds));
    return [{ what, goal: goals[goal], ratio: median(byRound), spread: spread(byRound), rounds: byRound }];
  });
  return { pass: name, iops: medians('iops'), p99: medians('p99'), ratios: compared };
}

function printTables(rows) {
  const disks = Object.keys(rows[0].iops);
  const rule = (columns) => `| --- |${' ---: |'.repeat(columns)}`;
  say(`\n| IOPS (p99, µs) | ${disks.join(' | ')} |\n${rule(disks.length)}`);
  for (const { pass, iops, p99 } of rows) {
    const cells = disks.map((disk) => `${Math.round(iops[disk])} (${Math.round(p99[disk])})`);
    say(`| ${pass} | ${cells.join(' | ')} |`);
  }
  say(
    `\n| ratio (spread; goal) | ${comparisons.map(({ name }) => name).join(' | ')} |\n${rule(comparisons.length)}`,
  );
  for (const row of rows) {
    const cells = comparisons.map(({ name }) => {
      const found = row.ratios.find(({ what }) => what === name);
      if (!found) return '';
      const goal = found.goal === undefined ? '' : `; ${found.goal}`;
      return `${found.ratio.toFixed(2)} (${Math.round(found.spread * 100)} %${goal})`;
    });
    say(`| ${row.pass} | ${cells.join(' | ')} |`);
  }
}

function build() {
  const tsc = join(checkout, 'node_modules/typescript/bin/tsc');
  rmSync(join(checkout, 'out/kernel-tests'), { recursive: true, force: true });
  for (const project of ['tsconfig.build.json', 'test/kernel/tsconfig.json']) {
    const { status } = spawnSync(process.execPath, [tsc, '-p', project], { cwd: checkout, stdio: 'inherit' });
    if (status !== 0) throw new Error(`tsc -p ${project} failed`);
  }
}

/** @returns undefined where it cannot be built, which is said */
function peer() {
  try {
    return buildFileExample();
  } catch (error) {
    say(
      `tcmu-runner's example handler for files cannot be built (${error.message}): its qcow handler instead`,
    );
    return undefined;
  }
}

async function main() {
  if (values.help) return say(usage);
  const rounds = Number(values.rounds ?? (values.quick ? 1 : 5));
  const seconds = Number(values.seconds ?? (values.quick ? 1 : 2));
  if (!(rounds >= 1 && seconds >= 1)) throw new Error('--rounds and --seconds: numbers from 1');
  const pattern = new RegExp(values.grep);
  const chosen = (values.quick ? quickPasses : passes).filter(({ name }) => pattern.test(name));
  if (chosen.length === 0) throw new Error(`--grep: no pass is named like '${values.grep}'`);
  installPackages(['qemu-utils']);
  build();

  const figures = [];
  const setting = { rounds, seconds, size: 256 * 2 ** 20, passes: chosen, peer: peer() };
  const guest = await runGuest({
    command: `'${process.execPath}' out/kernel-tests/bench/lab/guest.js '${JSON.stringify(setting)}'`,
    seconds: 600 + rounds * chosen.length * 5 * (seconds + 8),
    onEvent: (line) => {
      const figure = JSON.parse(line);
      figures.push(figure);
      say(`round ${figure.round}: ${figure.pass}, ${figure.disk}: ${Math.round(figure.iops)} IOPS`);
    },
    onConsole: values.console ? (line) => say(`| ${line}`) : undefined,
  });
  const rows = chosen
    .filter(({ name }) => figures.some(({ pass }) => pass === name))
    .map((pass) => summarize(pass, figures));
  if (rows.length > 0) printTables(rows);
  const machine = `${os.cpus().length} × ${os.cpus()[0].model}, Linux ${os.release()}, Node ${process.version}`;
  mkdirSync(join(values.json, '..'), { recursive: true });
  const report = { date: new Date().toISOString(), machine, setting: { rounds, seconds }, rows, figures };
  writeFileSync(values.json, `${JSON.stringify(report, null, 2)}\n`);
  say(`\n${values.json}`);
  if (guest.status !== 0 || guest.timedOut) {
    throw new Error(`the guest failed (exit ${guest.status}):\n${guest.console.slice(-30).join('\n')}`);
  }
}

try {
  await main();
} catch (error) {
  say(`bench:lab: ${error.message}`);
  process.exitCode = 1;
}
