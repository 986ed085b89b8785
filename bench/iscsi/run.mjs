import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import { startLunette } from '../../test/conformance/libiscsi/lunette-target.mjs';
import { installPackages, packageVersion } from '../../test/conformance/libiscsi/packages.mjs';
import { startTgt } from '../../test/conformance/libiscsi/tgt-target.mjs';
import { say } from '../support/bench.mjs';
import { median, ratios, spread, spreadText } from '../support/median.mjs';
import { machine, needPackages, runPart, wholeFrom } from '../support/part.mjs';
import { barOf } from '../support/plot.mjs';

/*
 * `npm run bench:iscsi`: iscsi-perf against the embedded target and against Debian's tgt (C), in turns on one
 * machine, both on a sparse file of 100 MiB in the same folder.
 */

const usage = `  --rounds N         alternating runs of each target (default 5)
  --seconds N        length of one run, from 1 (default 4)`;

const options = {
  rounds: { type: 'string', default: '5' },
  seconds: { type: 'string', default: '4' },
};

// iscsi-perf counts whole seconds.
const checks = { rounds: wholeFrom(1), seconds: wholeFrom(1) };

/** Goals are ratios to tgt. */
const passes = [
  { name: '4 KiB random read, 32 at a time', args: ['-r', '-m', '32', '-b', '8'], goal: 3 },
  { name: '256 KiB sequential read, 8 at a time', args: ['-m', '8', '-b', '512'], goal: 1.5 },
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

async function main({ rounds, seconds }, { build, save }) {
  needPackages(installPackages);
  build();
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

  const tgt = packageVersion('tgt');
  say(`\n${machine()}, tgt ${tgt}\n`);
  say('| pass | target | IOPS (median) | spread | to tgt | spread | goal |');
  say('| --- | --- | ---: | ---: | ---: | ---: | ---: |');
  const results = rows.map(({ pass, target, iops }) => {
    const peer = rows.find((row) => row.pass === pass && row.target === 'tgt');
    const byRound = ratios(iops, peer.iops);
    const goal = target === 'tgt' ? undefined : pass.goal;
    const ratio = median(byRound);
    const compared = goal === undefined ? '| |' : `${ratio.toFixed(2)} | ${spreadText(byRound)} | ${goal}`;
    say(`| ${pass.name} | ${target} | ${median(iops)} | ${spreadText(iops)} | ${compared} |`);
    const figures = { median: median(iops), spread: spread(iops), rounds: iops };
    return {
      pass: pass.name,
      target,
      goal,
      ...figures,
      ratio,
      ratios: byRound,
      ratioSpread: spread(byRound),
    };
  });
  const bars = results
    .filter(({ goal }) => goal !== undefined)
    .map(({ pass, target, ratio, ratios: byRound, goal }) =>
      barOf(`${target}, ${pass}`, byRound, { value: ratio, goal }),
    );
  const chart = { title: 'The embedded iSCSI target beside tgt', axis: 'ratio of their IOPS', bars };
  await save({ setting: { rounds, seconds, tgt }, results }, [chart]);
}

await runPart({ name: 'iscsi', usage, options, checks, main });
