import { spawn } from 'node:child_process';
import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { clearInterval, clearTimeout, setInterval, setTimeout } from 'node:timers';
import { fileURLToPath, URL } from 'node:url';

/*
 * A guest of user-mode-linux: a real Linux kernel as an ordinary process, with this machine's root (read-only)
 * and this checkout.
 */

const MAPPINGS = 8_388_608;
const KERNEL = '/usr/bin/linux.uml';
export const checkout = fileURLToPath(new URL('../../..', import.meta.url)).replace(/\/$/, '');

/** Each scattered page of the guest is a mapping of the host: with the default limit a large guest dies. */
function raiseMappingLimit() {
  const path = '/proc/sys/vm/max_map_count';
  if (Number(readFileSync(path, 'utf8')) >= MAPPINGS) return;
  try {
    writeFileSync(path, String(MAPPINGS));
    process.stdout.write(`vm.max_map_count raised to ${MAPPINGS}\n`);
  } catch (error) {
    throw new Error(`vm.max_map_count must be ${MAPPINGS} for the guest: ${error.message}`, { cause: error });
  }
}

/** The processes of a guest: its kernel's, and those in which the guest's own processes run. */
function processesOf(folder) {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        const [program, ...args] = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
        return program === KERNEL && args.includes(`LAB=${folder}`);
      } catch {
        return false;
      }
    })
    .map(Number);
}

function killGuest(folder) {
  for (const pid of processesOf(folder)) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It ended by itself in between.
    }
  }
}

/** Of the guests that run. */
const folders = new Set();

function remove(folder) {
  killGuest(folder);
  rmSync(folder, { recursive: true, force: true });
  folders.delete(folder);
}

function leave(signal) {
  for (const folder of folders) remove(folder);
  process.exit(signal === 'SIGINT' ? 130 : 143);
}

function lines(onLine) {
  let rest = '';
  return (chunk) => {
    const parts = (rest + chunk).split(/\r*\n/);
    rest = parts.pop();
    for (const line of parts) onLine(line);
  };
}

/**
 * Boot the guest, run a shell command in it and wait until it is gone.
 * @param {object} options
 * @param {string} options.command sourced by bash in the checkout's folder; files it leaves in /lab are kept
 *   until `collect` has run
 * @param {number} options.seconds bound on the guest's whole life
 * @param {string} [options.memory] as UML's `mem=`
 * @param {(line: string) => void} [options.onEvent] each line that the command appends to /lab/events
 * @param {(line: string) => void} [options.onConsole] each line of the guest's console
 * @param {(folder: string) => void} [options.collect] looks at /lab's files, in this folder of the host
 * @returns {Promise<{ status: number, timedOut: boolean, console: string[] }>} the command's exit status
 */
export async function runGuest({ command, seconds, memory = '4G', onEvent, onConsole, collect }) {
  raiseMappingLimit();
  const folder = mkdtempSync(join(tmpdir(), 'lunette-lab-'));
  const here = fileURLToPath(new URL('.', import.meta.url));
  const consoleLines = [];
  if (folders.size === 0) process.on('SIGINT', leave).on('SIGTERM', leave);
  folders.add(folder);
  try {
    for (const name of ['init.sh', 'guest.sh']) copyFileSync(join(here, name), join(folder, name));
    writeFileSync(join(folder, 'checkout'), checkout);
    writeFileSync(join(folder, 'command'), `${command}\n`);
    writeFileSync(join(folder, 'events'), '');

    const guest = spawn(
      KERNEL,
      [
        `mem=${memory}`,
        'root=none',
        'rootfstype=hostfs',
        'rootflags=/',
        'ro',
        `init=${folder}/init.sh`,
        `LAB=${folder}`,
        `umid=${folder.split('/').pop()}`,
        `uml_dir=${folder}/`,
        'con=null',
        'con0=null,fd:1',
        'ssl=null',
        'quiet',
        'loglevel=4',
        'log_buf_len=4M',
      ],
      // The guest's memory is a file there, without a name.
      { env: { TMPDIR: '/dev/shm' }, stdio: ['ignore', 'pipe', 'pipe'], detached: true },
    );
    const onLine = lines((line) => {
      consoleLines.push(line);
      onConsole?.(line);
    });
    guest.stdout.setEncoding('utf8').on('data', onLine);
    guest.stderr.setEncoding('utf8').on('data', onLine);

    let read = 0;
    const event = lines((line) => onEvent?.(line));
    const follow = () => {
      const text = readFileSync(join(folder, 'events'));
      event(text.toString('utf8', read));
      read = text.length;
    };
    const follower = setInterval(follow, 200);
    let timedOut = false;
    const watchdog = setTimeout(() => {
      timedOut = true;
      killGuest(folder);
    }, seconds * 1000);
    const status = await new Promise((resolve, reject) => {
      guest.on('error', reject).on('close', (code) => resolve(code ?? 1));
    }).finally(() => {
      clearTimeout(watchdog);
      clearInterval(follower);
    });
    follow();
    collect?.(folder);
    return { status, timedOut, console: consoleLines };
  } finally {
    remove(folder);
    if (folders.size === 0) process.off('SIGINT', leave).off('SIGTERM', leave);
  }
}
