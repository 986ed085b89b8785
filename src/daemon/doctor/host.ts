import { readFileSync, readdirSync, readlinkSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { native } from '../../native/addon.js';
import { listStorageObjects } from '../../target/configfs.js';
import { scanUio } from '../../target/uio.js';
import { kernelNow, readKernelLog, type KernelMessage } from './kernel-log.js';
import { nameOwner } from './name-owner.js';
import { tcmuOpeners, type Process } from './processes.js';

/** What is asked of the kernel and the bus beside files; tests have their own. */
export interface HostOptions {
  /** Where `/sys`, `/proc`, `/dev`, `/etc`, `/usr` and `/lib` are looked for. Default `/`. */
  readonly root?: string;
  /** Milliseconds for which something must last before it counts as stuck. Default 3000. */
  readonly patience?: number;
  /** The process that owns org.kernel.TCMUService1; undefined where none does. Rejects where there is no bus. */
  readonly nameOwner?: () => Promise<number | undefined>;
  /** Messages of the kernel, oldest first. */
  readonly kernelLog?: () => KernelMessage[];
  /** Now, by the clock of the kernel's messages. */
  readonly kernelNow?: () => number;
  /** INQUIRY to an sg device; undefined where no answer came in time. */
  readonly inquire?: (path: string) => { status: number; sense: Uint8Array } | undefined;
}

/** A TCMU storage object. */
export interface TcmuObject {
  readonly hba: string;
  readonly name: string;
  /** `user_0/disk1` */
  readonly title: string;
  /** Its directory in configfs. */
  readonly directory: string;
  /** `uio0`; undefined while it is not enabled. */
  readonly uio: string | undefined;
  /** Who has its UIO device open: its daemon, if any. */
  readonly openers: readonly Process[];
}

/** Milliseconds. */
const INQUIRY_WAIT = 2000;

/** This machine as the checks see it. Made anew for each examination: it looks at most things once. */
export class Host {
  readonly root: string;
  readonly #options: HostOptions;
  #devices: TcmuObject[] | undefined;

  constructor(options: HostOptions = {}) {
    this.root = options.root ?? '/';
    this.#options = options;
  }

  /** @param path from the root on: `proc/meminfo` */
  path(path: string): string {
    return join(this.root, path);
  }

  /** @returns undefined where there is no such file, or its owner is gone */
  read(path: string): string | undefined {
    try {
      return readFileSync(this.path(path), 'utf8').replace(/\n$/, '');
    } catch {
      return undefined;
    }
  }

  /** @returns nothing where there is no such directory */
  list(path: string): string[] {
    try {
      return readdirSync(this.path(path));
    } catch {
      return [];
    }
  }

  isFolder(path: string): boolean {
    return statSync(this.path(path), { throwIfNoEntry: false })?.isDirectory() ?? false;
  }

  link(path: string): string | undefined {
    try {
      return readlinkSync(this.path(path));
    } catch {
      return undefined;
    }
  }

  /** A number of one of the kernel's files. */
  number(path: string): number | undefined {
    const text = this.read(path)?.trim();
    return text !== undefined && /^-?\d+$/.test(text) ? Number(text) : undefined;
  }

  /** Every TCMU storage object. Reads configfs. */
  devices(): readonly TcmuObject[] {
    return (this.#devices ??= this.#findDevices());
  }

  #findDevices(): TcmuObject[] {
    const config = this.path('sys/kernel/config');
    const uios = scanUio({ sys: this.path('sys'), dev: this.path('dev') });
    const openers = tcmuOpeners(this);
    return listStorageObjects(config).map(({ hba, name }) => {
      const uio = uios.find((candidate) => candidate.hba === hba && candidate.name === name)?.uio;
      return {
        hba,
        name,
        title: `${hba}/${name}`,
        directory: join(config, 'target/core', hba, name),
        uio,
        openers: uio === undefined ? [] : (openers.get(uio) ?? []),
      };
    });
  }

  /** A file of a device in configfs, from `attrib/...` on, as `number()` and `read()` take it. */
  attribute({ hba, name }: TcmuObject, file: string): string {
    return join('sys/kernel/config/target/core', hba, name, file);
  }

  /** The processes that serve TCMU devices, each once. */
  daemons(): Process[] {
    const found = new Map<number, Process>();
    for (const processes of tcmuOpeners(this).values()) {
      for (const process of processes) found.set(process.pid, process);
    }
    return [...found.values()];
  }

  nameOwner(): Promise<number | undefined> {
    return (this.#options.nameOwner ?? nameOwner)();
  }

  kernelLog(): KernelMessage[] {
    return (this.#options.kernelLog ?? readKernelLog)();
  }

  kernelNow(): number {
    return (this.#options.kernelNow ?? kernelNow)();
  }

  inquire(path: string): { status: number; sense: Uint8Array } | undefined {
    const { inquire } = this.#options;
    return inquire ? inquire(path) : native().inquire(path, INQUIRY_WAIT);
  }

  /** Wait for as long as something must last to be stuck. */
  async patience(): Promise<void> {
    await sleep(this.#options.patience ?? 3000);
  }
}
