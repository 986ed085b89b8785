import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** One TCMU device, as its UIO device describes it (target_core_user.c, tcmu_update_uio_info). */
export interface TcmuDevice {
  /** The UIO device's name: `uio0`. */
  readonly uio: string;
  /** The character device to open: `/dev/uio0`. */
  readonly devicePath: string;
  /** Bytes to map, all of them: the mailbox, the command ring and the data area. */
  readonly mapSize: number;
  /** The HBA's directory under configfs target/core: `user_0`. */
  readonly hba: string;
  /** The storage object's name: its directory under the HBA's. */
  readonly name: string;
  /** The part of `devConfig` before its first `/`: which handler serves the device. */
  readonly subtype: string;
  /** The part of `devConfig` after its first `/`. */
  readonly cfgstring: string;
  /** SUBTYPE/CFGSTRING, as it was written to configfs. */
  readonly devConfig: string;
}

/** Directories to look in; tests have their own. */
export interface UioRoots {
  /** Default `/sys`. */
  readonly sys?: string;
  /** Default `/dev`. */
  readonly dev?: string;
}

/** The names in a UIO device's name. */
export type TcmuName = Pick<TcmuDevice, 'hba' | 'name' | 'subtype' | 'cfgstring' | 'devConfig'>;

/**
 * Take `tcm-user/HBA/DEVICE/DEV_CONFIG` apart; DEV_CONFIG may hold slashes or be absent.
 * @returns undefined where it is no name of a TCMU device
 */
export function parseUioName(uioName: string): TcmuName | undefined {
  const match = /^tcm-user\/(\d+)\/([^/]+)(?:\/(.*))?$/s.exec(uioName);
  if (match === null) return undefined;
  const [, host, name, devConfig = ''] = match;
  const slash = devConfig.indexOf('/');
  return {
    hba: `user_${host}`,
    name,
    devConfig,
    subtype: slash < 0 ? devConfig : devConfig.slice(0, slash),
    cfgstring: slash < 0 ? '' : devConfig.slice(slash + 1),
  };
}

/**
 * Whether the kernel has unregistered a UIO device, or has begun to: its attributes go before whoever polls it is woken
 * (drivers/uio/uio.c, uio_unregister_device).
 */
export function isRemoved(uio: string, { sys = '/sys' }: UioRoots = {}): boolean {
  return !existsSync(join(sys, 'class/uio', uio, 'maps'));
}

function readAttribute(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').replace(/\n$/, '');
  } catch (error) {
    // Unregistered since it was listed: ENODEV comes from a file that was open at that moment.
    if (['ENOENT', 'ENODEV'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw error;
  }
}

/**
 * Read one UIO device.
 * @param uio `uio0`
 * @returns undefined where it is gone, or is not a TCMU device
 */
export function readUio(uio: string, { sys = '/sys', dev = '/dev' }: UioRoots = {}): TcmuDevice | undefined {
  const directory = join(sys, 'class/uio', uio);
  const uioName = readAttribute(join(directory, 'name'));
  const parsed = uioName === undefined ? undefined : parseUioName(uioName);
  const size = parsed && readAttribute(join(directory, 'maps/map0/size'));
  if (parsed === undefined || size === undefined) return undefined;
  const mapSize = Number(size);
  if (!Number.isSafeInteger(mapSize) || mapSize <= 0) {
    throw new Error(`${directory}/maps/map0/size: '${size}' is not a size in bytes`);
  }
  return { uio, devicePath: join(dev, uio), mapSize, ...parsed };
}

/** Every TCMU device there is, in the order of the UIO devices' numbers. */
export function scanUio(roots: UioRoots = {}): TcmuDevice[] {
  let names: string[];
  try {
    names = readdirSync(join(roots.sys ?? '/sys', 'class/uio'));
  } catch (error) {
    // The class appears with the first UIO driver.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
  return names
    .filter((name) => /^uio\d+$/.test(name))
    .sort((a, b) => Number(a.slice(3)) - Number(b.slice(3)))
    .map((name) => readUio(name, roots))
    .filter((device) => device !== undefined);
}
