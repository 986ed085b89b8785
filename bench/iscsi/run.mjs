import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { checkout, startLunette } from '../../test/conformance/libiscsi/lunette-target.mjs';
import { installPackages, packageVersion } from '../../test/conformance/libiscsi/packages.mjs';
import { startTgt } from '../../test/conformance/libiscsi/tgt-target.mjs';
import { say } from '../support/bench.mjs';
import { median, ratios, spread } from '../support/median.mjs';

/*
 * `npm run bench:iscsi`: iscsi-perf against the embedded target and against Debian's tgt (C), in turns on one
 * machine, both on a sparse file of 100 MiB in the same folder.
 */

const usage = `npm run bench:iscsi -- [--rounds N] [--seconds N]

  --rounds N    alternating runs of each target (default 5)
  --seconds N   length of one run (default 4)

Writes out/iscsi-bench.json.`;

const passes = [
  { name: '4 KiB random read, 32 at a time', args: ['-r', '-m', '32', '-b', '8'] },
  { name: '256 KiB sequential read, 8 at a time', args: ['-m', '8', '-b', '512'] },
];

/** @returns {number} what iscsi-perf says: requests in a second */
function measure(url, args, seconds) {
  const { stdout, stderr, status } = spawnSync('/usr/bin/iscsi-perf', [...args, '-t', String(seconds), url], {
    encoding: 'utf8',
    timeout: (seconds + 20) * 1000,
  });
  const average = /^iops average (\d+)/m.exec(stdout.replaceAll('\r', '\n'));
  if (status !== 0 || !average)
    throw new Error(`iscsi-perf ended with ${status}: ${stderr}${stdout.slice(-300)}`);
  return Number(average[1]);
}

async function main() {
  const { values } = parseArgs({
    options: {
      rounds: { type: 'string', default: '5' },
      seconds: { type: 'string', default: '4' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return say(usage);
  const [rounds, seconds] = [Number(values.rounds), Number(values.seconds)];
  if (!(rounds >= 1) || !(seconds >= 1)) throw new Error('--rounds and --seconds: numbers from 1');
  installPackages();

  const folder = mkdtempSync(join(os.tmpdir(), 'lunette-bench-'));
  const targets = {
    'lunette file': () => startLunette({ definition: `file/${join(folder, 'disk.img')}?create=1` }),
    'lunette memory': () => startLunette({}),
    tgt: () => startTgt({}),
  };
  const rows = passes.flatMap((pass) => Object.keys(targets).map((target) => ({ pass, target, iops: [] })));
  try {
    for (let round = 1; round <= rounds; round++) {
      for (const row of rows) {
        const running = await targets[row.target]();
        try {
          row.iops.push(measure(running.urls[0], row.pass.args, seconds));
        } finally {
          await running.stop();
        }
        say(`round ${round}: ${row.pass.name}: ${row.target}: ${row.iops.at(-1)} IOPS`);
      }
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }

  say(
    `\n${os.cpus().length} × ${os.cpus()[0].model}, Linux ${os.release()}, Node ${process.version}, tgt ${packageVersion('tgt')}\n`,
  );
  say('| pass | target | IOPS (median) | spread | to tgt |');
  say('| --- | --- | ---: | ---: | ---: |');
  const results = rows.map(({ pass, target, iops }) => {
    const peer = rows.find((row) => row.pass === pass && row.target === 'tgt');
    const ratio = median(ratios(iops, peer.iops));
    const percent = Math.round(spread(iops) * 100);
    say(`| ${pass.name} | ${target} | ${median(iops)} | ${percent} % | ${ratio.toFixed(2)} |`);
    return { pass: pass.name, target, median: median(iops), spread: spread(iops), ratio, rounds: iops };
  });
  mkdirSync(join(checkout, 'out'), { recursive: true });
  const json = join(checkout, 'out/iscsi-bench.json');
  writeFileSync(json, JSON.stringify(results, null, 2));
  say(`\n${json}`);
}

try {
  await main();
} catch (error) {
  say(`bench:iscsi: ${error.message}`);
  process.exitCode = 1;
}
