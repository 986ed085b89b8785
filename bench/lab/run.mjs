import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { runGuest } from '../../test/kernel/lab/machine.mjs';
import { installPackages } from '../../test/kernel/lab/packages.mjs';
import { checkout, say } from '../support/bench.mjs';
import { needPackages, regularExpression, runPart, wholeFrom } from '../support/part.mjs';
import { passes, quickPasses } from './passes.mjs';
import { buildFileExample } from './peer.mjs';
import { chart, printTables, summarize } from './summary.mjs';

/*
 * `npm run bench:lab`: fio on loopback disks of lunette, of tcmu-runner and of the kernel itself, in one boot of the
 * kernel lab, in turns. The figures are ratios of one machine at one hour: a system call costs six times as much in
 * the lab as natively, so they say nothing of native speed.
 */

const usage = `  --rounds N         turns of each disk (default 5, --quick 1)
  --seconds N        length of one fio pass, from 1 (default 2, --quick 1)
  --grep TEXT        only passes whose names match this regular expression
  --quick            few passes, once: whether it runs, rather than how fast
  --console          print the guest's console`;

const options = {
  rounds: { type: 'string', default: '' },
  seconds: { type: 'string', default: '' },
  grep: { type: 'string', default: '' },
  quick: { type: 'boolean', default: false },
  console: { type: 'boolean', default: false },
};

/** Without it `--quick` says what is meant. */
const given = (text) => (text === '' ? undefined : wholeFrom(1)(text));
const checks = { rounds: given, seconds: given, grep: regularExpression };

function buildGuest() {
  rmSync(join(checkout, 'out/kernel-tests'), { recursive: true, force: true });
  const tsc = join(checkout, 'node_modules/typescript/bin/tsc');
  const args = [tsc, '-p', 'test/kernel/tsconfig.json'];
  const { status } = spawnSync(process.execPath, args, { cwd: checkout, stdio: 'inherit' });
  if (status !== 0) throw new Error('tsc -p test/kernel/tsconfig.json failed');
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

async function main(values, { build, save }) {
  const { rounds = values.quick ? 1 : 5, seconds = values.quick ? 1 : 2, grep } = values;
  const chosen = (values.quick ? quickPasses : passes).filter(({ name }) => grep.test(name));
  if (chosen.length === 0) throw new Error(`--grep: no pass is named like '${grep.source}'`);
  needPackages(() => installPackages(['qemu-utils']));
  build();
  buildGuest();

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
  if (rows.length > 0) {
    printTables(rows);
    await save({ setting: { rounds, seconds }, rows, figures }, [chart(rows)]);
  }
  if (guest.status !== 0 || guest.timedOut) {
    throw new Error(`the guest failed (exit ${guest.status}):\n${guest.console.slice(-30).join('\n')}`);
  }
}

await runPart({ name: 'lab', usage, options, checks, main });
