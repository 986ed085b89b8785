import { closeSync, constants, openSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeKernelFile } from './kernel-file.js';

/** Where configfs is mounted on every distribution. */
export const CONFIGFS = '/sys/kernel/config';

/** What names a device under configfs: a TcmuDevice is one. */
export interface ConfigfsName {
  /** `user_0` */
  readonly hba: string;
  readonly name: string;
}

/** Of open(2): a place in the file system, without what opening the thing at it would do. Node.js has no name for it. */
const O_PATH = 0o10_000_000;
const FOLDERS = ['attrib', 'action', 'wwn'];

/**
 * The attributes of one TCMU device under configfs (target_core_user.c and target_core_configfs.c).
 *
 * Every read and write is a synchronous call into the kernel. While the kernel waits for the answer to
 * REMOVED_DEVICE, the rmdir that waits has the device's directory and its parent's locked (fs/namei.c, vfs_rmdir):
 * whoever looks for the device by its path then waits for the answer as well, for ever if it is he who has to give
 * it. The event comes later than the lock, so no care can avoid that. The folders in the device's directory are
 * locked for a moment only (fs/configfs/dir.c, detach_groups): hold() keeps hold of them, and from then on whatever
 * is asked of a device that is being removed fails with ENOENT at once.
 */
export class ConfigfsDevice {
  readonly #directory: string;
  readonly #name: string;
  /** Descriptors of folders, by name. */
  readonly #held = new Map<string, number>();
  #released = false;

  /** @param root where configfs is mounted */
  constructor({ hba, name }: ConfigfsName, root = CONFIGFS) {
    this.#directory = join(root, 'target/core', hba, name);
    this.#name = `${hba}/${name}`;
  }

  /** One that can be used without fear of a removal until release(), which must follow. */
  static hold(name: ConfigfsName, root = CONFIGFS): ConfigfsDevice {
    const device = new ConfigfsDevice(name, root);
    for (const folder of FOLDERS) {
      try {
        const flags = O_PATH | constants.O_DIRECTORY;
        device.#held.set(folder, openSync(join(device.#directory, folder), flags));
      } catch {
        // An old kernel has no such folder; where the device is gone, its attributes say so.
      }
    }
    return device;
  }

  /** Let go; every attribute fails with ENOENT from then on. Idempotent. */
  release(): void {
    this.#released = true;
    for (const fd of this.#held.values()) closeSync(fd);
    this.#held.clear();
  }

  /** @throws where it was released */
  #path(file: string): string {
    if (this.#released) throw Object.assign(new Error('not held any more'), { code: 'ENOENT' });
    const [folder, attribute] = file.split('/');
    const fd = this.#held.get(folder);
    return fd === undefined ? join(this.#directory, file) : `/proc/self/fd/${fd}/${attribute}`;
  }

  /** Seconds the kernel gives a command before it fails it; 0 is for ever. */
  commandTimeout(): number {
    return this.#number('attrib/cmd_time_out');
  }

  /** Logical block length in bytes. */
  blockSize(): number {
    const bytes = this.#number('attrib/hw_block_size');
    if (bytes === 0) throw new Error(`${this.#name}: hw_block_size is 0, which is no block length`);
    return bytes;
  }

  /** Capacity in bytes. */
  size(): number {
    return this.#number('attrib/dev_size');
  }

  /** The longest transfer of one command that LIO announces, in logical blocks. */
  maxSectors(): number {
    // Whatever its name says, LIO counts hw_block_size here (target_core_spc.c, spc_emulate_evpd_b0).
    return this.#number('attrib/hw_max_sectors');
  }

  /** The logical unit's serial number; undefined until one was set. */
  unitSerial(): string | undefined {
    // `T10 VPD Unit Serial Number: 6b2d...`
    const text = this.#read('wwn/vpd_unit_serial');
    const serial = text.slice(text.indexOf(':') + 1).trim();
    return serial === '' ? undefined : serial;
  }

  /** Whether the kernel waits for an answer to this device's netlink events (nl_reply_supported). */
  waitsForReply(): boolean {
    return this.#number('attrib/nl_reply_supported') > 0;
  }

  /** Whether its `enable` has been done; not yet while the kernel asks for it to be served. */
  isConfigured(): boolean {
    return this.#number('enable') > 0;
  }

  /** emulate_write_cache: whether writes may be answered before they are stable. */
  writeCache(): boolean {
    return this.#number('attrib/emulate_write_cache') > 0;
  }

  /** Only of a device that is not configured yet: of another one the kernel would ask the daemon, and wait. */
  setWriteCache(enabled: boolean): void {
    this.#write('attrib/emulate_write_cache', enabled ? '1' : '0');
  }

  /** Have ABORT TASK and LUN RESET put on the ring, so that handlers hear of them (Linux 5.9 and later). */
  notifyTaskManagement(): void {
    this.#write('attrib/tmr_notification', '1');
  }

  /** Give back the data area of a command that was completed with KEEP_BUF. */
  freeKeptBuffer(commandId: number): void {
    this.#write('action/free_kept_buf', String(commandId));
  }

  /** True: finish what is complete and answer BUSY to new commands. False: go on. */
  block(blocked: boolean): void {
    this.#write('action/block_dev', blocked ? '1' : '0');
  }

  /**
   * Throw away every command in the ring.
   * @param how 1 answers them BUSY (they may be sent again), 2 CHECK CONDITION (a hard failure)
   */
  resetRing(how: 1 | 2): void {
    this.#write('action/reset_ring', String(how));
  }

  #failure(verb: string, file: string, error: unknown): Error {
    const { code, message } = error as NodeJS.ErrnoException;
    const way =
      code === 'ENOENT'
        ? 'the device is gone, or this kernel does not have the attribute'
        : code === 'EACCES' || code === 'EPERM'
          ? 'run as root'
          : message;
    return Object.assign(
      new Error(`${this.#name}: cannot ${verb} ${join(this.#directory, file)}: ${code ?? ''} ${way}`, {
        cause: error,
      }),
      { code },
    );
  }

  #read(file: string): string {
    try {
      return readFileSync(this.#path(file), 'utf8').replace(/\n$/, '');
    } catch (error) {
      throw this.#failure('read', file, error);
    }
  }

  #number(file: string): number {
    const text = this.#read(file).trim();
    if (!/^-?\d+$/.test(text)) {
      throw new Error(`${this.#name}: ${join(this.#directory, file)} holds '${text}', which is no number`);
    }
    return Number(text);
  }

  #write(file: string, value: string): void {
    try {
      writeKernelFile(this.#path(file), value);
    } catch (error) {
      throw this.#failure('write', file, error);
    }
  }
}

/**
 * Every storage object under a `user_N` HBA, enabled or not.
 * @throws Error that says what is missing where configfs or LIO is not there
 */
export function listStorageObjects(root = CONFIGFS): ConfigfsName[] {
  const core = join(root, 'target/core');
  const directories = (path: string): string[] =>
    readdirSync(path, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => entry.name);
  let hbas: string[];
  try {
    hbas = directories(core);
  } catch (error) {
    throw new Error(
      `${core} cannot be listed: load LIO with 'modprobe target_core_user', ` +
        `and mount configfs with 'mount -t configfs none ${root}'`,
      { cause: error },
    );
  }
  return hbas
    .filter((hba) => /^user_\d+$/.test(hba))
    .flatMap((hba) => directories(join(core, hba)).map((name) => ({ hba, name })));
}
