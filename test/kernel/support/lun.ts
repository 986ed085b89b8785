import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { targetcli } from './targetcli.js';
import { until } from './wait.js';

let made = 0;

export interface LunOptions {
  /** Backstore as targetcli calls it: user:memory, ramdisk, … */
  readonly backstore: string;
  /** As targetcli takes it: 256M. */
  readonly size: string;
  /** Of a user: backstore. */
  readonly cfgstring?: string;
  /** The file of a fileio backstore. */
  readonly file?: string;
  /** LIO's own settings: hw_block_size=4096. */
  readonly control?: string;
}

/** A storage object exported over tcm_loop, all made with targetcli. */
export class LoopbackLun {
  readonly name: string;
  readonly #wwn: string;
  readonly #options: LunOptions;

  private constructor(options: LunOptions) {
    made += 1;
    this.name = `disk${made}`;
    this.#wwn = `naa.50014050${made.toString(16).padStart(8, '0')}`;
    this.#options = options;
  }

  static async create(options: LunOptions): Promise<LoopbackLun> {
    const lun = new LoopbackLun(options);
    const { backstore, size, file, cfgstring, control } = options;
    const words = [`/backstores/${backstore} create name=${lun.name} size=${size}`];
    if (file !== undefined) words.push(`file_or_dev=${file}`);
    if (control !== undefined) words.push(`control=${control}`);
    // Last, because targetcli takes the next word for the value of an empty one.
    if (cfgstring !== undefined) words.push(`cfgstring=${cfgstring}`);
    await targetcli(
      words.join(' '),
      `/loopback create ${lun.#wwn}`,
      `/loopback/${lun.#wwn}/luns create /backstores/${backstore}/${lun.name}`,
    );
    await until(`a disk of ${lun.name}`, () => lun.#kernelName() !== undefined);
    return lun;
  }

  #kernelName(): string | undefined {
    // "1:0:1": SCSI host, channel and target of the loopback's only portal group.
    const address = `/sys/kernel/config/target/loopback/${this.#wwn}/tpgt_1/address`;
    const folder = `/sys/class/scsi_device/${readFileSync(address, 'utf8').trim()}:0/device/block`;
    return existsSync(folder) ? readdirSync(folder)[0] : undefined;
  }

  /** The backing image's path, where it is one. */
  get image(): string {
    return (this.#options.cfgstring ?? '').replace(/\?.*/, '');
  }

  /** sda */
  get kernelName(): string {
    const name = this.#kernelName();
    if (name === undefined) throw new Error(`${this.name} is no disk`);
    return name;
  }

  /** /dev/sda */
  get path(): string {
    return `/dev/${this.kernelName}`;
  }

  /** /dev/sg0: the same disk without the block layer, its page cache and its limits. */
  get generic(): string {
    const [name] = readdirSync(`/sys/block/${this.kernelName}/device/scsi_generic`);
    if (name === undefined) throw new Error(`${this.name} has no generic device`);
    return `/dev/${name}`;
  }

  /** Bytes, as the kernel's block layer has it. */
  get size(): number {
    return 512 * Number(readFileSync(`/sys/block/${this.kernelName}/size`, 'utf8'));
  }

  /** How many bytes were written to the disk since it came. */
  writtenBytes(): number {
    const fields = readFileSync(`/sys/block/${this.kernelName}/stat`, 'utf8').trim().split(/\s+/);
    return 512 * Number(fields[6]);
  }

  /** The storage object's folder in configfs. */
  get configfs(): string {
    const core = '/sys/kernel/config/target/core';
    const hba = readdirSync(core).find((name) => existsSync(`${core}/${name}/${this.name}`));
    if (hba === undefined) throw new Error(`${this.name} is not in configfs`);
    return `${core}/${hba}/${this.name}`;
  }

  async remove(): Promise<void> {
    await targetcli(
      `/loopback delete ${this.#wwn}`,
      `/backstores/${this.#options.backstore} delete ${this.name}`,
    );
  }
}
