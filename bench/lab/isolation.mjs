import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { checkout, runGuest } from '../../test/kernel/lab/machine.mjs';
import { installPackages } from '../../test/kernel/lab/packages.mjs';
import { say } from '../support/bench.mjs';
import { median } from '../support/median.mjs';

/*
 * `node bench/lab/isolation.mjs`: what seven disks notice of the eighth, whose host is killed once a second: p99 of
 * 4 KiB reads, disturbed and undisturbed in turns, in one boot of the kernel lab for each isolation.
 */

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '2' },
    seconds: { type: 'string', default: '60' },
    rate: { type: 'string', default: '20' },
    isolation: { type: 'string', multiple: true, default: ['thread', 'process'] },
  },
});

installPackages();
rmSync(join(checkout, 'out/kernel-tests'), { recursive: true, force: true });
for (const project of ['tsconfig.build.json', 'test/kernel/tsconfig.json']) {
  const tsc = join(checkout, 'node_modules/typescript/bin/tsc');
  const { status } = spawnSync(process.execPath, [tsc, '-p', project], { cwd: checkout, stdio: 'inherit' });
  if (status !== 0) throw new Error(`tsc -p ${project} failed`);
}
const [rounds, seconds, rate] = [values.rounds, values.seconds, values.rate].map(Number);
const figures = [];
for (const isolation of values.isolation) {
  const setting = JSON.stringify({ isolation, rounds, seconds, rate });
  const guest = await runGuest({
    command: `'${process.execPath}' out/kernel-tests/bench/lab/isolation-guest.js '${setting}'`,
    seconds: 300 + rounds * 2 * (seconds + 40),
    onEvent: (line) => {
      figures.push(JSON.parse(line));
      say(line);
    },
  });
  if (guest.status !== 0 || guest.timedOut) {
    say(`the guest failed (exit ${guest.status}):\n${guest.console.slice(-30).join('\n')}`);
    process.exitCode = 1;
    continue;
  }
  const p99 = (killing) =>
    median(
      figures.filter((one) => one.isolation === isolation && one.killing === killing).map((one) => one.p99),
    );
  say(
    `${isolation}: p99 ${p99(false).toFixed(2)} ms undisturbed, ${p99(true).toFixed(2)} ms disturbed: ` +
      `${(p99(true) / p99(false)).toFixed(2)} of it`,
  );
}
mkdirSync(join(checkout, 'out'), { recursive: true });
writeFileSync(join(checkout, 'out/isolation-bench.json'), JSON.stringify(figures, null, 2));
