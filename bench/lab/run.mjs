import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { checkout, runGuest } from '../../test/kernel/lab/machine.mjs';
import { installPackages } from '../../test/kernel/lab/packages.mjs';
import { say } from '../support/bench.mjs';
import { median, spread } from '../support/median.mjs';

/*
 * `npm run bench:lab`: fio, 4 KiB, on loopback disks of lunette, of tcmu-runner and of the kernel's own ramdisk,
 * in one boot of the kernel lab. The figures are ratios of one machine at one hour: a system call costs six
 * times as much in the lab as natively, so they say nothing of native speed.
 */

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '4' },
    console: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

/** One row a disk and pass: median IOPS over the rounds, how far they spread, and the ratio to tcmu-runner. */
function summarize(figures) {
  const rows = new Map();
  for (const figure of figures) {
    const key = `${figure.mode} ${figure.depth}`;
    const row = rows.get(`${figure.disk} ${key}`) ?? { disk: figure.disk, pass: key, iops: [], p99: [] };
    row.iops.push(figure.iops);
    row.p99.push(figure.p99);
    rows.set(`${figure.disk} ${key}`, row);
  }
  return [...rows.values()].map((row) => {
    const iops = median(row.iops);
    const peer = rows.get(`tcmu-runner qcow ${row.pass}`);
    return {
      disk: row.disk,
      pass: row.pass,
      iops,
      spread: spread(row.iops),
      p99: median(row.p99),
      ratio: peer ? iops / median(peer.iops) : undefined,
      rounds: row.iops,
    };
  });
}

function printTable(rows) {
  say('| 4 KiB, queue depth | disk | IOPS (median) | spread | p99 µs | to tcmu-runner | rounds |');
  say('| --- | --- | ---: | ---: | ---: | ---: | --- |');
  for (const row of rows) {
    const percent = `${Math.round(row.spread * 100)} %`;
    const ratio = row.ratio?.toFixed(2) ?? '';
    say(
      `| ${row.pass} | ${row.disk} | ${row.iops} | ${percent} | ${row.p99} | ${ratio} | ${row.rounds.join(', ')} |`,
    );
  }
}

async function main() {
  if (values.help) return say('node bench/lab/run.mjs [--rounds N] [--seconds N] [--console]');
  const [rounds, seconds] = [Number(values.rounds), Number(values.seconds)];
  if (!(rounds >= 1 && seconds >= 1)) throw new Error('--rounds and --seconds must be numbers from 1');
  installPackages(['qemu-utils']);
  const tsc = join(checkout, 'node_modules/typescript/bin/tsc');
  rmSync(join(checkout, 'out/kernel-tests'), { recursive: true, force: true });
  for (const project of ['tsconfig.build.json', 'test/kernel/tsconfig.json']) {
    const { status } = spawnSync(process.execPath, [tsc, '-p', project], { cwd: checkout, stdio: 'inherit' });
    if (status !== 0) throw new Error(`tsc -p ${project} failed`);
  }

  const figures = [];
  const setting = JSON.stringify({ rounds, seconds, size: 256 * 2 ** 20 });
  const guest = await runGuest({
    command: `'${process.execPath}' out/kernel-tests/bench/lab/guest.js '${setting}'`,
    seconds: 180 + rounds * 16 * (seconds + 4),
    onEvent: (line) => {
      const figure = JSON.parse(line);
      figures.push(figure);
      say(`round ${figure.round}: ${figure.mode} ${figure.depth} on ${figure.disk}: ${figure.iops} IOPS`);
    },
    onConsole: values.console ? (line) => say(`| ${line}`) : undefined,
  });
  const rows = summarize(figures);
  say('');
  printTable(rows);
  mkdirSync(join(checkout, 'out'), { recursive: true });
  const json = join(checkout, 'out/lab-bench.json');
  writeFileSync(
    json,
    JSON.stringify({ date: new Date().toISOString(), rounds, seconds, rows, figures }, null, 2),
  );
  say(`\n${json}`);
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
