import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath, URL } from 'node:url';
import { parseArgs } from 'node:util';
import { checkFileSystem, fileChecksum, readDisk } from './image.mjs';
import { initramfs } from './initramfs.mjs';
import { checkout, LunetteExport } from './lunette-export.mjs';
import { runMachine } from './machine.mjs';
import { installPackages, unpackKernel } from './packages.mjs';

/*
 * `npm run test:qemu`: a virtual machine whose disks are two exported LUNs, attached by QEMU's own iSCSI
 * initiator: one as scsi-hd (QEMU answers for the disk), one as scsi-block (the guest's CDBs reach the logical
 * unit). The guest formats and fills them, reboots and finds what it wrote; then this side looks.
 */

const usage = `node test/qemu/run.mjs [--console] [--seconds N]

  --console     print the guest's serial port as it comes
  --seconds N   end a machine that takes longer (default: 150)`;

const size = '256M';
const kinds = ['scsi-hd', 'scsi-block'];
const say = (text) => process.stdout.write(`${text}\n`);

class Results {
  passed = 0;
  failed = 0;

  /** @param {string | undefined} problem nothing where it passed */
  add(name, problem) {
    if (problem === undefined) this.passed += 1;
    else this.failed += 1;
    say(`  ${problem === undefined ? '✓' : '✗'} ${name}`);
    if (problem !== undefined) say(String(problem).replace(/^/gm, '      '));
  }

  check(name, holds, problem) {
    this.add(name, holds ? undefined : problem);
  }
}

/** What the guest said on its serial port. */
class Guest {
  sums = new Map(kinds.map((kind) => [kind, new Map()]));
  verdicts = new Map();
  sizes = new Map();
  alarms = [];
  boots = [];
  console = [];

  take(line) {
    this.console.push(line);
    const [, verb, rest] = /@@ (\w+) (.*?)\r?$/.exec(line) ?? [];
    if (verb === undefined) return;
    const [first, second, ...others] = rest.split(' ');
    if (verb === 'sum') this.sums.get(first).set(second, others[0]);
    else if (verb === 'size') this.sizes.set(first, Number(second) * 512);
    else if (verb === 'alarm') this.alarms.push(rest);
    else if (verb === 'booted') this.boots.push(first);
    else this.verdicts.set(`${first} ${second}`, { verb, detail: others.join(' ') });
  }
}

const steps = {
  format: 'the guest makes a file system',
  write: 'the guest writes files and syncs',
  find: 'after a reboot without unmounting, the guest finds its files',
  trim: 'the guest trims what it has deleted',
  unmount: 'the guest unmounts',
};

function report(guest, results) {
  for (const kind of kinds) {
    results.check(
      `${kind}: has its size`,
      guest.sizes.get(kind) === 2 ** 28,
      `${guest.sizes.get(kind)} bytes`,
    );
    for (const [step, title] of Object.entries(steps)) {
      const { verb = 'not reached', detail = '' } = guest.verdicts.get(`${kind} ${step}`) ?? {};
      results.check(`${kind}: ${title}`, verb === 'passed', `${verb} ${detail}`);
    }
  }
  results.check('the guest booted twice', guest.boots.join() === '1,2', `boots: ${guest.boots.join()}`);
  results.check('the guest’s kernel has no complaint', guest.alarms.length === 0, guest.alarms.join('\n'));
}

/** The same disk from this side: the file system is whole, and the files are those that the guest wrote. */
function look(kind, target, sums, folder, results) {
  const image = join(folder, `${kind}.img`);
  const unread = readDisk(target.url, image);
  results.add(`${kind}: is read over iSCSI from outside`, unread);
  if (unread !== undefined) return;
  results.add(`${kind}: e2fsck finds the file system clean`, checkFileSystem(image));
  const scratch = join(folder, 'file');
  const wrong = [...sums]
    .filter(([name]) => name !== 'file4')
    .filter(([name, sum]) => fileChecksum(image, name, scratch) !== sum)
    .map(([name]) => `${name} is not what the guest wrote`);
  const problem = sums.size === 4 ? wrong.join('\n') : `the guest wrote ${sums.size} files`;
  results.check(`${kind}: the files have the guest’s checksums`, problem === '', problem);
}

async function main() {
  const { values: options } = parseArgs({
    options: {
      console: { type: 'boolean', default: false },
      seconds: { type: 'string', default: '150' },
      help: { type: 'boolean', default: false },
    },
  });
  if (options.help) return say(usage);
  const seconds = Number(options.seconds);
  if (!(seconds > 0)) throw new Error(`--seconds: '${options.seconds}' is not a number above 0`);
  const started = Date.now();
  if (!existsSync(join(checkout, 'dist/cli/main.js'))) throw new Error('build first: npm run build');
  installPackages();
  const cache = join(checkout, 'out/qemu');
  mkdirSync(cache, { recursive: true });
  const kernel = unpackKernel(cache);

  const results = new Results();
  const guest = new Guest();
  const folder = mkdtempSync(join(tmpdir(), 'lunette-qemu-'));
  const targets = [];
  process.once('SIGINT', () => process.exit(130)).once('SIGTERM', () => process.exit(143));
  try {
    const root = join(folder, 'initramfs');
    writeFileSync(root, initramfs(kernel.modules, fileURLToPath(new URL('init.sh', import.meta.url))));
    for (const kind of kinds) {
      const name = `iqn.2026-11.org.example.lunette:${kind}`;
      targets.push(
        await LunetteExport.start('memory', '--size', size, '--iscsi', '127.0.0.1:0', '--name', name),
      );
    }
    say(`booting ${kernel.release} in QEMU`);
    const problem = await runMachine({
      kernel: kernel.image,
      initramfs: root,
      disks: kinds.map((device, index) => ({ device, url: targets[index].url })),
      seconds,
      onLine: (line) => {
        guest.take(line);
        if (options.console) say(`| ${line}`);
      },
    });
    say('');
    results.add('the machine runs until it powers itself off', problem);
    report(guest, results);
    kinds.forEach((kind, index) => look(kind, targets[index], guest.sums.get(kind), folder, results));
    for (const [index, target] of targets.entries()) {
      results.check(
        `${kinds[index]}: SIGINT ends the export`,
        (await target.stop()) === 0,
        'another exit status',
      );
      const complaints = target.complaints();
      results.check(
        `${kinds[index]}: the export complained of nothing`,
        complaints.length === 0,
        complaints.join('\n'),
      );
    }
  } finally {
    for (const target of targets) await target.stop();
    rmSync(folder, { recursive: true, force: true });
    writeFileSync(join(cache, 'console.log'), guest.console.join('\n'));
  }
  if (results.failed > 0) say(`\nlast lines of the console:\n${guest.console.slice(-30).join('\n')}`);
  say(`\n${((Date.now() - started) / 1000).toFixed(1)} s`);
  say(`${results.passed} passed, ${results.failed} failed, 0 skipped`);
  if (results.failed > 0) process.exitCode = 1;
}

try {
  await main();
} catch (error) {
  say(`test:qemu: ${error.message}`);
  say('0 passed, 1 failed, 0 skipped');
  process.exitCode = 1;
}
