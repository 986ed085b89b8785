import { configure } from '../handlers/cfgstring.js';
import type { TimeoutPolicy } from '../device/command-budget.js';
import { lateMessage, notInTime, OPEN_TIMEOUT, openWithin, type DiskOpener } from '../device/disk-opener.js';
import type { LoopMarks } from '../device/loop-marks.js';
import { endsWithin } from '../device/patience.js';
import type { Disk, DiskMaker, Handler } from '../handlers/contract.js';
import type { HandlerRegistry } from '../handlers/registry.js';
import { Device } from '../device/device.js';
import type { DeviceJournal } from '../device/device-options.js';
import { threadRings } from '../ring/ring-group.js';
import { native, type RegionHandle } from '../native/addon.js';
import type { ConfigfsDevice } from '../target/configfs.js';
import { describeFailure } from '../scsi/errno.js';
import type { CopyManager } from '../scsi/copy-manager.js';
import { isRemoved, type TcmuDevice } from '../target/uio.js';
import { Steps } from '../device/steps.js';
import { openJournal, RUNTIME_DIRECTORY } from './journal-file.js';
import type { Logger } from './log.js';
import { agreeOnWriteCache } from './write-cache.js';

export interface DeviceSettings {
  /**
   * Milliseconds; undefined takes 3/4 of the kernel's own cmd_time_out. A command is answered for at most 1/4 of
   * its budget late (CommandBudget), so that our answer still comes before the kernel's.
   */
  readonly commandTimeout?: number;
  /** What becomes of a command that takes longer. Default `fail`. */
  readonly onTimeout?: TimeoutPolicy;
  /** Starts anew whatever serves the device, where that is not the daemon itself. */
  readonly restart?: (reason: string) => void;
  /** Know where verbs wait, to report those that take too long with their stack. */
  readonly traceVerbs?: boolean;
  /**
   * How long a handler may take to check a configuration, and then to open its disk; milliseconds. Default
   * OPEN_TIMEOUT. The kernel, and whoever made the device, waits for it.
   */
  readonly openTimeout?: number;
  /** Of the event loop that serves the device. */
  readonly loopMarks?: LoopMarks;
  readonly checkedBuffers?: boolean;
  /** Shared by the logical units that copies may go between. */
  readonly copyManager?: CopyManager;
  /** Where `@NAME` definitions are read from. */
  readonly definitions?: string;
  /** Where the journals of devices are kept. Default RUNTIME_DIRECTORY. */
  readonly runtimeDirectory?: string;
}

/** Milliseconds, where the kernel itself never loses patience (cmd_time_out 0). */
const DEFAULT_TIMEOUT = 25_000;

/** Milliseconds that a command may take; 0 for ever. */
export function budget(settings: DeviceSettings, configfs: ConfigfsDevice): number {
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

/** What a cfgstring says to a handler. @throws ConfigError */
function read(handler: DiskMaker, cfgstring: string, { definitions }: DeviceSettings): object {
  if (!('config' in handler)) throw new Error(`handler '${handler.name}' was given no configuration`);
  return configure(handler as Handler, cfgstring, { definitions });
}

/** The handler's own check of its configuration, with an end. @throws what it throws, or ETIMEDOUT */
export async function checkWithin(milliseconds: number, handler: DiskMaker, config: object): Promise<void> {
  if (!handler.check) return;
  if (await endsWithin(milliseconds, handler.check(config))) return;
  throw notInTime(`handler '${handler.name}' had not checked the configuration`, milliseconds);
}

/**
 * What opens a device's disk, now and again; its configuration is checked here.
 * @param given the configuration, where it has been read
 * @throws ConfigError, or what the handler's `check` throws; ETIMEDOUT where that takes too long
 */
export async function diskOpener(
  handler: DiskMaker,
  cfgstring: string,
  configfs: ConfigfsDevice,
  settings: DeviceSettings,
  log: Logger,
  given?: object,
): Promise<DiskOpener> {
  const config = given ?? read(handler, cfgstring, settings);
  await checkWithin(settings.openTimeout ?? OPEN_TIMEOUT, handler, config);
  return async (inherited) => {
    const blockSize = configfs.blockSize();
    const disk = await handler.open(config, { size: configfs.size(), blockSize, log, inherited });
    const diskBlockSize = disk.blockSize ?? 512;
    if (diskBlockSize === blockSize) return disk;
    await disk.handOver?.();
    await disk.close?.();
    throw new Error(
      `the disk has blocks of ${diskBlockSize} bytes but LIO was told ${blockSize}: ` +
        `create it with control=hw_block_size=${diskBlockSize}`,
    );
  };
}

/** A disk without a journal is better than no disk. */
function openDeviceJournal(
  directory: string,
  tcmu: TcmuDevice,
  region: RegionHandle,
  configfs: ConfigfsDevice,
  log: Logger,
): DeviceJournal | undefined {
  try {
    return openJournal(directory, tcmu, region, configfs);
  } catch (error) {
    log.warn(
      `${tcmu.hba}/${tcmu.name}: a crash of the daemon would lose commands: ${(error as Error).message}`,
    );
    return undefined;
  }
}

function notifyTaskManagement(name: string, configfs: ConfigfsDevice, log: Logger): void {
  try {
    configfs.notifyTaskManagement();
  } catch (error) {
    log.debug(`${name}: handlers are not told of aborted commands: ${(error as Error).message}`);
  }
}

/** Whoever waits is to be told why the device cannot be served, not why its disk cannot be closed. */
async function closeUnused(disk: Disk, name: string, log: Logger): Promise<void> {
  try {
    if (await endsWithin(OPEN_TIMEOUT, disk.close?.())) return;
    log.error(`${name}: the disk did not close`);
  } catch (error) {
    log.error(`${name}: the disk did not close: ${describeFailure(error)}`);
  }
}

/** The unit serial number, as it is or, of a device that is being removed, as it was last seen. */
function serialNumber({ hba, name }: TcmuDevice, configfs: ConfigfsDevice): () => string {
  let known: string | undefined;
  return () => {
    try {
      known = configfs.unitSerial();
    } catch {
      // The device is going.
    }
    return known ?? `${hba}-${name}`;
  };
}

/**
 * Open the handler's disk and the kernel's ring of one TCMU device; the caller starts it.
 * @param configfs held; released when the device is closed or cannot be opened
 * @param given the handler's configuration, where it has been read
 */
export async function openDevice(
  tcmu: TcmuDevice,
  configfs: ConfigfsDevice,
  registry: HandlerRegistry<DiskMaker>,
  settings: DeviceSettings,
  log: Logger,
  given?: object,
): Promise<Device> {
  try {
    return await openHeld(tcmu, configfs, registry, settings, log, given);
  } catch (error) {
    configfs.release();
    throw error;
  }
}

async function openHeld(
  tcmu: TcmuDevice,
  configfs: ConfigfsDevice,
  registry: HandlerRegistry<DiskMaker>,
  settings: DeviceSettings,
  log: Logger,
  given?: object,
): Promise<Device> {
  const name = `${tcmu.hba}/${tcmu.name}`;
  const handler = registry.get(tcmu.subtype);
  if (!handler)
    throw new Error(`no handler '${tcmu.subtype}'; this daemon has ${registry.names().join(', ')}`);
  const steps = new Steps();
  const open = await diskOpener(handler, tcmu.cfgstring, configfs, settings, log, given);
  steps.done('configuration');
  const disk = await openWithin(settings.openTimeout ?? OPEN_TIMEOUT, open, undefined, (error) =>
    log.error(lateMessage(name, error)),
  );
  steps.done('disk');
  notifyTaskManagement(name, configfs, log);
  let region;
  let journal;
  try {
    region = new (native().UioRegion)(tcmu.devicePath, tcmu.mapSize);
    steps.done('map');
    journal = openDeviceJournal(settings.runtimeDirectory ?? RUNTIME_DIRECTORY, tcmu, region, configfs, log);
    steps.done('journal');
    const device = new Device({
      name,
      region,
      rings: threadRings(),
      disk,
      reopen: open,
      log,
      journal,
      commandTimeout: budget(settings, configfs),
      onTimeout: settings.onTimeout,
      restart: settings.restart,
      traceVerbs: settings.traceVerbs,
      loopMarks: settings.loopMarks,
      checkedBuffers: settings.checkedBuffers,
      freeKeptBuffer: (commandId) => configfs.freeKeptBuffer(commandId),
      isRemoved: () => isRemoved(tcmu.uio),
      onClosed: () => configfs.release(),
      unit: {
        // Read at each INQUIRY: targetcli sets the serial number only after the device was enabled.
        serial: serialNumber(tcmu, configfs),
        maxTransferBlocks: maxTransferBlocks(configfs),
        copyManager: settings.copyManager,
      },
    });
    agreeOnWriteCache(device, configfs, log);
    steps.done('ring');
    log.debug(`${name}: opened: ${steps.toString()}`);
    return device;
  } catch (error) {
    journal?.close();
    region?.close();
    await closeUnused(disk, name, log);
    if ((error as NodeJS.ErrnoException).code === 'EBUSY') {
      throw new Error(
        `${tcmu.devicePath} is in use: another process serves ${name} (fuser ${tcmu.devicePath} names it)`,
        { cause: error },
      );
    }
    throw error;
  }
}
