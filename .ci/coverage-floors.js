import { readFileSync } from 'node:fs';

// The least line coverage, in percent, of the folders that must not be wrong.
const floors = { 'src/ring/': 90, 'src/scsi/': 90, 'src/handlers/': 90 };

const summary = JSON.parse(readFileSync('coverage/coverage-summary.json', 'utf8'));
let met = true;
for (const [folder, floor] of Object.entries(floors)) {
  let covered = 0;
  let total = 0;
  for (const [file, { lines }] of Object.entries(summary)) {
    if (!file.includes(`/${folder}`)) continue;
    covered += lines.covered;
    total += lines.total;
  }
  const percent = total === 0 ? 0 : (covered / total) * 100;
  const enough = percent >= floor;
  met &&= enough;
  console.log(
    `${folder.padEnd(16)} ${percent.toFixed(1)} % of ${total} lines (floor ${floor} %)${enough ? '' : '  TOO LOW'}`,
  );
}
process.exit(met ? 0 : 1);
