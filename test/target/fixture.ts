import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { TargetLog } from '../../src/target/log.js';

/** What the kernel shows of one TCMU device. */
export interface FixtureDevice {
  uio: number;
  host?: number;
  name: string;
  /** SUBTYPE/CFGSTRING */
  devConfig: string;
  /** nl_reply_supported. Default 1. */
  waits?: number;
  /** Bytes. */
  size?: number;
}

/** sysfs, configfs and /dev of a machine with TCMU devices, as files in a temporary directory. */
export class FixtureTree {
  readonly root = mkdtempSync(join(tmpdir(), 'lunette-target-'));
  readonly sys = join(this.root, 'sys');
  readonly dev = join(this.root, 'dev');
  readonly config = join(this.root, 'sys/kernel/config');
  readonly proc = join(this.root, 'proc');

  /** @param path below the root */
  write(path: string, text: string): void {
    const file = join(this.root, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
  }

  mkdir(path: string): void {
    mkdirSync(join(this.root, path), { recursive: true });
  }

  read(path: string): string {
    return readFileSync(join(this.root, path), 'utf8');
  }

  remove(path: string): void {
    rmSync(join(this.root, path), { recursive: true, force: true });
  }

  move(from: string, to: string): void {
    mkdirSync(dirname(join(this.root, to)), { recursive: true });
    renameSync(join(this.root, from), join(this.root, to));
  }

  /** The module is loaded, configfs mounted, and there is no device. */
  loadModule(): void {
    this.write('sys/module/target_core_user/parameters/block_netlink', '0\n');
    this.write('sys/module/target_core_user/parameters/reset_netlink', '0\n');
    this.mkdir('sys/kernel/config/target/core');
    this.mkdir('proc');
    this.mkdir('dev');
  }

  uioName({ host = 0, name, devConfig }: FixtureDevice): string {
    return `tcm-user/${host}/${name}${devConfig === '' ? '' : `/${devConfig}`}`;
  }

  addDevice(device: FixtureDevice): void {
    const { uio, host = 0, name, waits = 1, size = 1024 * 1024 } = device;
    this.write(`sys/class/uio/uio${uio}/name`, `${this.uioName(device)}\n`);
    this.write(`sys/class/uio/uio${uio}/maps/map0/size`, '0x0000000040800000\n');
    this.write(`dev/uio${uio}`, '');
    const directory = `sys/kernel/config/target/core/user_${host}/${name}`;
    this.write(`${directory}/attrib/cmd_time_out`, '30\n');
    this.write(`${directory}/attrib/hw_block_size`, '512\n');
    this.write(`${directory}/attrib/hw_max_sectors`, '128\n');
    this.write(`${directory}/attrib/dev_size`, `${size}\n`);
    this.write(`${directory}/attrib/nl_reply_supported`, `${waits}\n`);
    this.write(`${directory}/wwn/vpd_unit_serial`, 'T10 VPD Unit Serial Number: 5a6b-7c\n');
    for (const action of ['free_kept_buf', 'block_dev', 'reset_ring']) {
      this.write(`${directory}/action/${action}`, '');
    }
  }

  removeDevice({ uio, host = 0, name }: FixtureDevice): void {
    this.remove(`sys/class/uio/uio${uio}`);
    this.remove(`dev/uio${uio}`);
    this.remove(`sys/kernel/config/target/core/user_${host}/${name}`);
  }

  close(): void {
    rmSync(this.root, { recursive: true, force: true });
  }
}

/** A log that keeps its lines as `level: message`. */
export class LogLines implements TargetLog {
  readonly lines: string[] = [];
  readonly debug = (message: string): void => void this.lines.push(`debug: ${message}`);
  readonly info = (message: string): void => void this.lines.push(`info: ${message}`);
  readonly warn = (message: string): void => void this.lines.push(`warn: ${message}`);
  readonly error = (message: string): void => void this.lines.push(`error: ${message}`);

  /** The lines of one level. */
  of(level: string): string[] {
    return this.lines.filter((line) => line.startsWith(`${level}: `));
  }
}
