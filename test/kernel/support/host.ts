import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { mkdir, rmdir, symlink, unlink, writeFile } from 'node:fs/promises';
import { until } from './wait.js';

const config = '/sys/kernel/config/target';

/**
 * A TCMU host (user_N) with its devices, made with configfs alone: targetcli takes seconds for each. Everything is
 * asynchronous, because `enable` and the removal wait for the daemon.
 */
export class Host {
  readonly folder: string;
  readonly #number: number;
  readonly #devices: string[] = [];
  readonly #loopbacks: string[] = [];

  /** @param number N of user_N */
  constructor(number: number) {
    this.#number = number;
    this.folder = `${config}/core/user_${number}`;
    mkdirSync(this.folder);
  }

  /** targetcli wants no two of the same name, in all hosts. */
  #path(name: string): string {
    return `${this.folder}/${name}of${this.#number}`;
  }

  /** Make and enable a device. @param devConfig SUBTYPE/CFGSTRING @param size bytes */
  async add(name: string, devConfig: string, size: number): Promise<void> {
    const device = this.#path(name);
    await mkdir(device);
    this.#devices.push(device);
    await writeFile(`${device}/control`, `dev_config=${devConfig},dev_size=${size}`);
    await writeFile(`${device}/enable`, '1');
  }

  /** Export one of its devices over tcm_loop. @returns the disk's path */
  async export(name: string, number: number): Promise<string> {
    const wwn = `naa.50014051${number.toString(16).padStart(8, '0')}`;
    const group = `${config}/loopback/${wwn}/tpgt_1`;
    await mkdir(group, { recursive: true });
    this.#loopbacks.push(wwn);
    await writeFile(`${group}/nexus`, wwn.replace(/^naa\.5/, 'naa.6'));
    await mkdir(`${group}/lun/lun_0`);
    await symlink(this.#path(name), `${group}/lun/lun_0/port`);
    const address = readFileSync(`${group}/address`, 'utf8').trim();
    const block = `/sys/class/scsi_device/${address}:0/device/block`;
    return until(`a disk of ${name}`, () => existsSync(block) && `/dev/${readdirSync(block)[0]}`);
  }

  /** Remove its devices, and the host. */
  async remove(): Promise<void> {
    for (const wwn of this.#loopbacks.splice(0)) {
      const target = `${config}/loopback/${wwn}`;
      await unlink(`${target}/tpgt_1/lun/lun_0/port`);
      await rmdir(`${target}/tpgt_1/lun/lun_0`);
      await rmdir(`${target}/tpgt_1`);
      await rmdir(target);
    }
    await Promise.all(this.#devices.splice(0).map((device) => rmdir(device)));
    await rmdir(this.folder);
  }
}
