import { createHash } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { checkedDisk } from '../device/checked-disk.js';
import { lateMessage, openWithin } from '../device/disk-opener.js';
import { StateFile } from '../device/state-file.js';
import { withProperties, type DiskProperties } from '../device/disk-properties.js';
import { configure, parseDeviceConfig } from '../handlers/cfgstring.js';
import type { Disk, HandlerLog } from '../handlers/contract.js';
import type { HandlerRegistry } from '../handlers/registry.js';
import type { SavedModePages } from '../scsi/mode-pages.js';
import type { SavedReservations } from '../scsi/saved-reservations.js';
import { TargetPortGroups } from '../scsi/target-port-groups.js';
import type { CommandObserver } from '../iscsi/command-observer.js';
import type { IscsiTarget } from '../iscsi/iscsi-target.js';
import { iscsiUrl } from './iscsi-settings.js';
import type { LogicalUnitOptions } from '../scsi/logical-unit-options.js';
import { LogicalUnit } from '../scsi/logical-unit.js';

export interface DiskExportOptions extends DiskProperties {
  /** `HANDLER/CFGSTRING`, as TCMU has it; `HANDLER` alone where it needs no options. */
  readonly definition: string;
  readonly registry: HandlerRegistry;
  readonly log: HandlerLog;
  /** Where `@NAME` definitions are read from. */
  readonly definitions?: string;
  /** Capacity in bytes. */
  readonly size?: number;
  /** Logical block length in bytes. */
  readonly blockSize?: number;
  /** How long the handler may take to open it, in milliseconds. Default: as long as it likes. */
  readonly openTimeout?: number;
  readonly checkedBuffers?: boolean;
  /** Unit serial number. Default: one made of the definition. */
  readonly serial?: string;
  /** A directory for what outlives a restart: persistent reservations with APTPL, saved mode pages. */
  readonly state?: string;
  readonly unit?: LogicalUnitOptions;
}

/** How long close() waits for the last flush, in milliseconds. */
const FLUSH_TIMEOUT = 10_000;

/** 16 hexadecimal digits that stay the same from one run to the next: initiators know a disk by them. */
function serialOf(definition: string): string {
  return createHash('sha256').update(definition).digest('hex').slice(0, 16);
}

/** Stores in `directory`, in files named after the unit's serial number. */
function stores(directory: string | undefined, serial: string): LogicalUnitOptions {
  if (directory === undefined) return {};
  const path = (kind: string): string => join(directory, `${encodeURIComponent(serial)}.${kind}.json`);
  return {
    reservationStore: new StateFile<SavedReservations>(path('reservations')),
    modeStore: new StateFile<SavedModePages>(path('modes')),
  };
}

/** A logical unit that no kernel knows: a handler's disk, opened for the embedded iSCSI target. */
export class DiskExport {
  readonly disk: Disk;
  readonly unit: LogicalUnit;
  readonly #portGroups: TargetPortGroups;
  readonly #log: HandlerLog;

  private constructor(disk: Disk, unit: LogicalUnit, portGroups: TargetPortGroups, log: HandlerLog) {
    this.disk = disk;
    this.unit = unit;
    this.#portGroups = portGroups;
    this.#log = log;
  }

  /** @throws Error (ConfigError, or what the handler's `open` throws) that says what to change */
  static async open(options: DiskExportOptions): Promise<DiskExport> {
    const { definition, registry, log, size, blockSize, readOnly, physicalBlockSize } = options;
    const { subtype, cfgstring } = parseDeviceConfig(definition);
    const handler = registry.find(subtype);
    const config = configure(handler, cfgstring, { definitions: options.definitions });
    await handler.check?.(config);
    if (options.state !== undefined) await mkdir(options.state, { recursive: true, mode: 0o700 });
    const serial = options.serial ?? serialOf(definition);
    const open = (): Disk | Promise<Disk> => handler.open(config, { size, blockSize, log });
    const { openTimeout } = options;
    const opened =
      openTimeout === undefined
        ? await open()
        : await openWithin(openTimeout, open, undefined, (error) =>
            log.error(lateMessage(definition, error)),
          );
    try {
      const disk = withProperties(options.checkedBuffers ? checkedDisk(opened) : opened, {
        readOnly,
        physicalBlockSize,
      });
      const portGroups = new TargetPortGroups();
      const unit = new LogicalUnit(disk, {
        portGroups,
        ...stores(options.state, serial),
        serial,
        log: (message) => log.error(`${definition}: ${message}`),
        pause: () => new Promise((resolve) => setImmediate(resolve)),
        ...options.unit,
      });
      return new DiskExport(disk, unit, portGroups, log);
    } catch (error) {
      await opened.close?.();
      throw error;
    }
  }

  /**
   * Make it LUN 0 of a target of its own.
   * @param observer told of its commands
   * @returns its URLs, one for each portal
   */
  offer(target: IscsiTarget, name: string, observer?: CommandObserver): string[] {
    target.add({ name, luns: new Map([[0, this.unit]]), observer });
    for (const port of target.portsOf(name)) this.#portGroups.add(port);
    return target.addresses.map((address) => iscsiUrl(address, name));
  }

  /** Flush and close the disk. No command may run any more. Never rejects. */
  async close(): Promise<void> {
    try {
      await this.unit.close();
      if (this.disk.flush && !this.disk.readOnly) {
        await this.disk.flush({ fua: false, dpo: false, signal: AbortSignal.timeout(FLUSH_TIMEOUT) });
      }
      await this.disk.close?.();
    } catch (error) {
      this.#log.error(`closing the disk failed: ${String(error)}`);
    }
  }
}
