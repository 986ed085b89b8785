import type { Device } from '../device/device.js';
import type { ReplaceOptions } from '../device/reload.js';
import { parseDeviceConfig, writtenConfig } from '../handlers/cfgstring.js';
import type { DiskMaker } from '../handlers/contract.js';
import { reloadHandlers } from '../handlers/load.js';
import type { HandlerRegistry } from '../handlers/registry.js';
import type { ConfigfsDevice } from '../target/configfs.js';
import type { TcmuDevice } from '../target/uio.js';
import { diskOpener, type DeviceSettings } from './open-device.js';
import type { Logger } from './log.js';

/** A device and what it was opened from. */
export interface ServedDevice {
  readonly device: Device;
  readonly tcmu: TcmuDevice;
  /** Held. */
  readonly configfs: ConfigfsDevice;
}

/** How a module's reload went with one device. */
export interface ReloadOutcome {
  readonly device: string;
  /** For how long its commands waited, in milliseconds; undefined where it failed. */
  readonly stall?: number;
  /** Why the old code serves on. */
  readonly error?: Error;
}

function refusal(code: string, message: string): Error {
  return Object.assign(new Error(message), { code });
}

/** Newer code and other configurations for devices that are being served. */
export class Reloader {
  readonly #registry: HandlerRegistry<DiskMaker>;
  readonly #settings: DeviceSettings;
  readonly #log: Logger;

  constructor(registry: HandlerRegistry<DiskMaker>, settings: DeviceSettings, log: Logger) {
    this.#registry = registry;
    this.#settings = settings;
    this.#log = log;
  }

  /**
   * Load the code of a device's handler anew and open its disk with it. A handler that came with Lunette has no newer
   * code; its disk is opened anew, which reads its definition file again.
   * @param given its configuration, where that has been read
   * @throws Error that says why the old code serves on
   */
  async reload(served: ServedDevice, options?: ReplaceOptions, given?: object): Promise<void> {
    const { tcmu } = served;
    const origin = this.#registry.origin(tcmu.subtype);
    const handlers: DiskMaker[] = origin === undefined ? [] : await reloadHandlers(origin);
    const handler =
      origin === undefined
        ? this.#registry.find(tcmu.subtype)
        : handlers.find(({ name }) => this.#registry.subtypeOf(name) === tcmu.subtype);
    if (!handler) throw new Error(`${origin} has no handler '${tcmu.subtype}' any more`);
    await this.#replace(served, handler, tcmu.cfgstring, options, given);
    for (const each of handlers) this.#registry.replace(each);
  }

  /**
   * Load a module anew and open every disk of its handlers with it.
   * @throws ConfigError where the module cannot be loaded; each device by itself may fail as well
   */
  async reloadModule(
    origin: string,
    served: Iterable<ServedDevice>,
    options?: ReplaceOptions,
  ): Promise<ReloadOutcome[]> {
    const handlers = await reloadHandlers(origin);
    const bySubtype = new Map(handlers.map((each) => [this.#registry.subtypeOf(each.name), each]));
    const outcomes = await Promise.all(
      Array.from(served, async (one): Promise<ReloadOutcome | undefined> => {
        const { device, tcmu } = one;
        const handler = bySubtype.get(tcmu.subtype);
        if (!handler) return undefined;
        try {
          const stall = await this.#replace(one, handler, tcmu.cfgstring, options);
          return { device: device.name, stall };
        } catch (error) {
          return { device: device.name, error: error as Error };
        }
      }),
    );
    const done = outcomes.filter((outcome) => outcome !== undefined);
    // Code that no device could be opened with is not offered to new ones.
    if (done.length === 0 || done.some(({ error }) => error === undefined)) {
      for (const handler of handlers) this.#registry.replace(handler);
    }
    return done;
  }

  /**
   * Another dev_config for a live device. Checked first: nothing has changed where it throws.
   * @param given the same as the handler's configuration, where that has been read
   * @throws Error whose code is an errno's name
   * @returns the device as it is from now on
   */
  async reconfigure(served: ServedDevice, devConfig: string, given?: object): Promise<TcmuDevice> {
    const { device, tcmu } = served;
    const text = writtenConfig(devConfig);
    const { subtype, cfgstring } = parseDeviceConfig(text);
    if (subtype !== tcmu.subtype) {
      throw refusal(
        'EINVAL',
        `a live device cannot go from handler '${tcmu.subtype}' to '${subtype}': delete it and create it anew`,
      );
    }
    if (text !== tcmu.devConfig) {
      await this.#replace(served, this.#registry.find(subtype), cfgstring, undefined, given);
      this.#log.info({ device: device.name }, `${device.name}: now serving ${text}`);
    }
    return { ...tcmu, cfgstring, devConfig: text };
  }

  async #replace(
    { device, configfs }: ServedDevice,
    handler: DiskMaker,
    cfgstring: string,
    options?: ReplaceOptions,
    given?: object,
  ): Promise<number> {
    const open = await diskOpener(handler, cfgstring, configfs, this.#settings, this.#log, given);
    return (await device.replaceDisk(open, { openTimeout: this.#settings.openTimeout, ...options })).stall;
  }
}
