import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import process from 'node:process';
import { clearTimeout, setTimeout } from 'node:timers';
import { createInterface } from 'node:readline';
import { fileURLToPath, URL } from 'node:url';
import { checkout } from '../support/bench.mjs';
import { loadNative } from '../ring/native.mjs';
import { createRegion } from '../ring/region.mjs';

const preload = fileURLToPath(new URL('preload.cjs', import.meta.url));
const main = join(checkout, 'dist/cli/main.js');

/** Attributes of a TCMU device in configfs. */
const attributes = {
  cmd_time_out: 30,
  hw_block_size: 512,
  hw_max_sectors: 128,
  nl_reply_supported: 1,
  tmr_notification: 0,
};

function write(path, text) {
  mkdirSync(join(path, '..'), { recursive: true });
  writeFileSync(path, `${text}\n`);
}

/**
 * Plays target_core_user for `lunette serve` where there is none: its files in a mount namespace's own /sys and /dev,
 * its rings in memory that is shared with the daemon, its commands from the generator of bench/ring. Needs root, and
 * Linux 5.6.
 */
export class StandInKernel {
  /** By number. */
  generators = [];
  #folder = mkdtempSync('/dev/shm/lunette-stand-in-');
  #regions = [];
  #group;

  /** @param {readonly { config: string, size: number }[]} devices dev_config, and bytes */
  constructor(devices) {
    const { Generator } = loadNative();
    const regions = {};
    write(join(this.#folder, 'sys/module/target_core_user/parameters/block_netlink'), '0');
    write(join(this.#folder, 'sys/module/target_core_user/parameters/reset_netlink'), '0');
    mkdirSync(join(this.#folder, 'sys/class/uio'), { recursive: true });
    mkdirSync(join(this.#folder, 'sys/kernel/config/target/core'), { recursive: true });
    mkdirSync(join(this.#folder, 'dev'));
    devices.forEach(({ config, size }, index) => {
      const region = createRegion();
      const uio = join(this.#folder, `sys/class/uio/uio${index}`);
      write(join(uio, 'name'), `tcm-user/0/disk${index}/${config}`);
      write(join(uio, 'maps/map0/size'), `0x${region.descriptors.size.toString(16)}`);
      const storage = join(this.#folder, `sys/kernel/config/target/core/user_0/disk${index}`);
      for (const [name, value] of Object.entries({ ...attributes, dev_size: size })) {
        write(join(storage, 'attrib', name), value);
      }
      for (const name of ['free_kept_buf', 'reset_ring', 'block_dev'])
        write(join(storage, 'action', name), '');
      write(join(storage, 'wwn/vpd_unit_serial'), `T10 VPD Unit Serial Number: stand-in-${index}`);
      regions[`/dev/uio${index}`] = region.descriptors;
      this.#regions.push(region);
      this.generators.push(new Generator(region.descriptors));
    });
    writeFileSync(join(this.#folder, 'regions.json'), JSON.stringify({ pid: process.pid, byPath: regions }));
  }

  /** One generator that feeds all rings from one thread, in the place of the others. */
  get group() {
    const { GeneratorGroup } = loadNative();
    return (this.#group ??= new GeneratorGroup(this.#regions.map(({ descriptors }) => descriptors)));
  }

  /** Start `lunette serve`. It is not ready yet. @param {readonly string[]} args of it */
  serve(args = []) {
    const folder = this.#folder;
    const runtime = join(folder, 'run');
    // Devices that Node and the shell need, and one for each ring; nobody opens those.
    const script = `
      mount --bind "$0/sys" /sys
      mount -t tmpfs none "$0/dev"
      for name in null zero random urandom tty; do
        touch "$0/dev/$name" && mount --bind "/dev/$name" "$0/dev/$name"
      done
      mkdir "$0/dev/shm" && mount --bind /dev/shm "$0/dev/shm"
      for name in /sys/class/uio/*; do touch "$0/dev/\${name##*/}"; done
      mount --rbind "$0/dev" /dev
      exec "$@"`;
    const command = [process.execPath, '--require', preload, main, 'serve', '--no-bus'];
    const options = ['--runtime-dir', runtime, '--control', join(runtime, 'control.sock')];
    const started = performance.now();
    const child = spawn(
      'unshare',
      ['--mount', 'sh', '-ec', script, folder, ...command, ...options, '--log-format', 'json', ...args],
      { env: { ...process.env, LUNETTE_STAND_IN: folder }, stdio: ['ignore', 'ignore', 'pipe'] },
    );
    return new StandInDaemon(child, started);
  }

  close() {
    for (const region of this.#regions) region.close();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** `lunette serve` and what it logs. */
class StandInDaemon {
  /** @type {{ level: string, msg: string, [key: string]: unknown }[]} */
  log = [];
  /** What it wrote that is no log line. */
  text = [];
  exited;
  #child;
  #started;
  #waiting = [];

  constructor(child, started) {
    this.#child = child;
    this.#started = started;
    this.exited = once(child, 'exit').then(([status]) => status);
    createInterface({ input: child.stderr }).on('line', (line) => this.#take(line));
    void this.exited.then((status) => {
      for (const { reject } of this.#waiting) {
        reject(new Error(`lunette ended with status ${status}:\n${this.everything()}`));
      }
    });
  }

  get pid() {
    return this.#child.pid;
  }

  everything() {
    return [...this.text, ...this.log.map(({ level, msg }) => `${level}: ${msg}`)].join('\n');
  }

  /** The log with times: milliseconds of the day. */
  timeline() {
    return this.log.map(({ time, msg }) => `${time} ${msg}`).join('\n');
  }

  #take(line) {
    try {
      this.log.push(JSON.parse(line));
    } catch {
      this.text.push(line);
    }
    const ready = this.#waiting.filter(({ message }) => this.log.some(({ msg }) => message.test(msg)));
    this.#waiting = this.#waiting.filter((one) => !ready.includes(one));
    for (const { resolve } of ready) resolve();
  }

  /** @param {RegExp} message @returns fulfilled when it was logged */
  async logged(message, patience = 60_000) {
    if (this.log.some(({ msg }) => message.test(msg))) return;
    let timer;
    await new Promise((resolve, reject) => {
      this.#waiting.push({ message, resolve, reject });
      timer = setTimeout(() => reject(new Error(`not logged: ${message}\n${this.everything()}`)), patience);
    }).finally(() => clearTimeout(timer));
  }

  /** @returns milliseconds since it was started */
  async ready() {
    await this.logged(/^ready$/);
    return performance.now() - this.#started;
  }

  /** Log lines that tell of something wrong. */
  complaints() {
    return [...this.text, ...this.log.filter(({ level }) => level === 'error').map(({ msg }) => msg)];
  }

  /** Of the daemon, and of the processes in which it serves devices. */
  #processes() {
    const { pid } = this;
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
    return [pid, ...(children === '' ? [] : children.split(' ').map(Number))];
  }

  /**
   * Resident memory in bytes without the rings, which are the kernel's. What processes share is divided among them,
   * except for the daemon's own.
   */
  residentMemory() {
    const sum = this.#processes().reduce((total, pid) => {
      const text = readFileSync(`/proc/${pid}/${pid === this.pid ? 'status' : 'smaps_rollup'}`, 'utf8');
      const names = pid === this.pid ? ['RssAnon', 'RssFile'] : ['Pss_Anon', 'Pss_File'];
      return names.reduce(
        (kib, name) => kib + Number(new RegExp(`^${name}:\\s*(\\d+) kB`, 'm').exec(text)[1]),
        total,
      );
    }, 0);
    return 1024 * sum;
  }

  /** CPU time in seconds, user and system, to the hundredth. */
  cpuTime() {
    return this.#processes().reduce((total, pid) => {
      const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
        .replace(/^.*\) /, '')
        .split(' ');
      return total + (Number(fields[11]) + Number(fields[12])) / 100;
    }, 0);
  }

  async stop() {
    this.#child.kill('SIGTERM');
    return this.exited;
  }
}
