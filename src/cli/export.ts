import { DiskExport } from '../daemon/disk-export.js';
import { handlerRegistry } from '../daemon/handler-registry.js';
import { DEFAULT_PORTAL, iscsiName, iscsiSettings } from '../daemon/iscsi-settings.js';
import { createLog, type LogFormat, type LogLevel } from '../daemon/log.js';
import { parseDeviceConfig } from '../handlers/cfgstring.js';
import { IscsiTarget } from '../iscsi/iscsi-target.js';
import { sizeOption } from './numbers.js';
import { untilSignal } from './until-signal.js';

export interface ExportOptions {
  handler: string[];
  definitions: string;
  iscsi: string[];
  chap?: string;
  mutualChap?: string;
  allowAnyone?: boolean;
  name?: string;
  serial?: string;
  state?: string;
  size?: string;
  blockSize?: string;
  physicalBlockSize?: string;
  readOnly?: boolean;
  removable?: boolean;
  writeSameToEnd?: boolean;
  checkedBuffers?: boolean;
  logLevel: LogLevel;
  logFormat: LogFormat;
}

function optionalSize(option: string, value: string | undefined): number | undefined {
  return value === undefined ? undefined : sizeOption(option, value);
}

/** `lunette export HANDLER[/CFGSTRING]`: one disk over iSCSI, until a signal. */
export async function exportDisk(definition: string, options: ExportOptions): Promise<void> {
  const settings = iscsiSettings({
    ...options,
    iscsi: options.iscsi.length === 0 ? [DEFAULT_PORTAL] : options.iscsi,
  });
  const registry = await handlerRegistry(options.handler);
  const log = createLog(options.logLevel, options.logFormat);
  const opened = await DiskExport.open({
    definition,
    registry,
    log,
    definitions: options.definitions,
    size: optionalSize('--size', options.size),
    blockSize: optionalSize('--block-size', options.blockSize),
    physicalBlockSize: optionalSize('--physical-block-size', options.physicalBlockSize),
    readOnly: options.readOnly,
    checkedBuffers: options.checkedBuffers,
    serial: options.serial,
    state: options.state,
    unit: { removable: options.removable, writeSameToEnd: options.writeSameToEnd },
  });
  const name = options.name ?? iscsiName(parseDeviceConfig(definition).subtype);
  let target: IscsiTarget | undefined;
  try {
    target = await IscsiTarget.start({ portals: settings.portals, auth: settings.auth, log });
    for (const url of opened.offer(target, name)) console.log(url);
    await untilSignal((signal) => log.info(`${signal}: leaving; once more leaves at once`));
  } finally {
    await target?.close();
    await opened.close();
  }
  // A verb that never ends must not keep a stopped process alive.
  process.exit(0);
}
