import { configure } from '../handlers/cfgstring.js';
import type { Disk } from '../handlers/contract.js';
import type { HandlerRegistry } from '../handlers/registry.js';
import { Device } from '../device/device.js';
import { native } from '../native/addon.js';
import type { ConfigfsDevice } from '../target/configfs.js';
import type { CopyManager } from '../scsi/copy-manager.js';
import type { TcmuDevice } from '../target/uio.js';
import type { Logger } from './log.js';

export interface DeviceSettings {
  /**
   * Milliseconds; undefined takes 3/4 of the kernel's own cmd_time_out. A command is answered for at most 1/4 of
   * its budget late (CommandBudget), so that our answer still comes before the kernel's.
   */
  readonly commandTimeout?: number;
  readonly checkedBuffers?: boolean;
  /** Shared by the logical units that copies may go between. */
  readonly copyManager?: CopyManager;
  /** Where `@NAME` definitions are read from. */
  readonly definitions?: string;
}

/** Milliseconds, where the kernel itself never loses patience (cmd_time_out 0). */
const DEFAULT_TIMEOUT = 25_000;

function budget(settings: DeviceSettings, configfs: ConfigfsDevice): number {
  if (settings.commandTimeout !== undefined) return settings.commandTimeout;
  const kernel = configfs.commandTimeout();
  return kernel > 0 ? (kernel * 1000 * 3) / 4 : DEFAULT_TIMEOUT;
}

/** The kernel's default says nothing about a handler, and would cut large transfers into 64 KiB. */
const KERNEL_DEFAULT_MAX_SECTORS = 128;

/** What an administrator set with control=hw_max_sectors, else the logical unit's own figure. */
function maxTransferBlocks(configfs: ConfigfsDevice): number | undefined {
  const configured = configfs.maxSectors();
  return configured === KERNEL_DEFAULT_MAX_SECTORS ? undefined : configured;
}

async function openDisk(
  tcmu: TcmuDevice,
  configfs: ConfigfsDevice,
  registry: HandlerRegistry,
  settings: DeviceSettings,
  log: Logger,
): Promise<Disk> {
  const handler = registry.get(tcmu.subtype);
  if (!handler)
    throw new Error(`no handler '${tcmu.subtype}'; this daemon has ${registry.names().join(', ')}`);
  const config = configure(handler, tcmu.cfgstring, { definitions: settings.definitions });
  const blockSize = configfs.blockSize();
  const disk = await handler.open(config, { size: configfs.size(), blockSize, log });
  const diskBlockSize = disk.blockSize ?? 512;
  if (diskBlockSize !== blockSize) {
    await disk.close?.();
    throw new Error(
      `the disk has blocks of ${diskBlockSize} bytes but LIO was told ${blockSize}: ` +
        `create it with control=hw_block_size=${diskBlockSize}`,
    );
  }
  return disk;
}

/** Open the handler's disk and the kernel's ring of one TCMU device; the caller starts it. */
export async function openDevice(
  tcmu: TcmuDevice,
  configfs: ConfigfsDevice,
  registry: HandlerRegistry,
  settings: DeviceSettings,
  log: Logger,
): Promise<Device> {
  const name = `${tcmu.hba}/${tcmu.name}`;
  const disk = await openDisk(tcmu, configfs, registry, settings, log);
  let region;
  try {
    region = new (native().UioRegion)(tcmu.devicePath, tcmu.mapSize);
    return new Device({
      name,
      region,
      disk,
      log,
      commandTimeout: budget(settings, configfs),
      checkedBuffers: settings.checkedBuffers,
      freeKeptBuffer: (commandId) => configfs.freeKeptBuffer(commandId),
      unit: {
        // Read at each INQUIRY: targetcli sets the serial number only after the device was enabled.
        serial: () => configfs.unitSerial() ?? `${tcmu.hba}-${tcmu.name}`,
        maxTransferBlocks: maxTransferBlocks(configfs),
        copyManager: settings.copyManager,
      },
    });
  } catch (error) {
    region?.close();
    await disk.close?.();
    if ((error as NodeJS.ErrnoException).code === 'EBUSY') {
      throw new Error(
        `${tcmu.devicePath} is in use: another process serves ${name} (fuser ${tcmu.devicePath} names it)`,
        { cause: error },
      );
    }
    throw error;
  }
}
