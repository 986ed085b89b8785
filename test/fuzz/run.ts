import { parseArgs } from 'node:util';
import { fuzzCdbs } from './cdb-fuzz.js';

/*
 * `npm run fuzz`: many random CDBs. Prints how many, and at last "N passed, M failed, K skipped".
 */

const usage = `npm run fuzz -- [--count N] [--seed N]

  --count N   CDBs to send (default 1000000)
  --seed N    begin here: a failing run can be repeated (default: the time)

Examples:
  npm run fuzz
  npm run fuzz -- --count 1e8`;

const { values } = parseArgs({
  options: {
    count: { type: 'string', default: '1000000' },
    seed: { type: 'string', default: String(Date.now() % 2 ** 31) },
    help: { type: 'boolean', default: false },
  },
});
const [count, seed] = [Number(values.count), Number(values.seed)];
if (values.help || !(count > 0) || !Number.isInteger(seed)) {
  process.stdout.write(`${usage}\n`);
  process.exit(values.help ? 0 : 2);
}

process.stdout.write(`${count} random CDBs, seed ${seed}\n`);
let told = 0;
const { commands, wrong, seconds } = await fuzzCdbs(count, seed, (done) => {
  if (done - told < 1e6) return;
  told = done;
  process.stdout.write(`${done} sent\n`);
});
const rss = process.memoryUsage.rss() / 2 ** 20;
process.stdout.write(
  `${commands} commands in ${seconds.toFixed(1)} s, ${wrong} not answered exactly once, ${rss.toFixed(0)} MiB resident\n`,
);
process.stdout.write(`${wrong === 0 ? 1 : 0} passed, ${wrong === 0 ? 0 : 1} failed, 0 skipped\n`);
if (wrong > 0) process.exitCode = 1;
