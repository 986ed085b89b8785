import { Daemon } from '../daemon/daemon.js';
import { createLog, type LogFormat, type LogLevel } from '../daemon/log.js';
import { handlerRegistry } from '../daemon/handler-registry.js';
import { iscsiSettings } from '../daemon/iscsi-settings.js';
import { checkKernel } from '../target/prerequisites.js';
import { secondsOption } from './numbers.js';
import { untilSignal } from './until-signal.js';

export interface ServeOptions {
  handler: string[];
  logLevel: LogLevel;
  logFormat: LogFormat;
  commandTimeout?: string;
  drainTimeout: string;
  subtypePrefix?: string;
  definitions: string;
  bus: boolean;
  checkedBuffers?: boolean;
  tcmu: boolean;
  iscsi: string[];
  export: string[];
  state?: string;
  copyBetweenLuns?: boolean;
  chap?: string;
  mutualChap?: string;
  allowAnyone?: boolean;
}

/** `lunette serve`. */
export async function serve(options: ServeOptions): Promise<void> {
  const commandTimeout =
    options.commandTimeout === undefined
      ? undefined
      : secondsOption('--command-timeout', options.commandTimeout);
  const drainTimeout = secondsOption('--drain-timeout', options.drainTimeout);
  if (options.export.length > 0 && options.iscsi.length === 0) {
    throw new Error('--export: needs --iscsi, which is where the disk is to be reached');
  }
  if (!options.tcmu && options.export.length === 0) {
    throw new Error('--no-tcmu: leaves nothing to serve: name a disk with --export, or use `lunette export`');
  }
  const iscsi = options.iscsi.length > 0 ? iscsiSettings(options) : undefined;
  const registry = await handlerRegistry(options.handler, options.subtypePrefix);
  const log = createLog(options.logLevel, options.logFormat);

  const problems = options.tcmu ? checkKernel({ bus: options.bus }) : [];
  for (const problem of problems) {
    if (!problem.fatal) log.warn(problem.message);
  }
  const fatal = problems.filter((problem) => problem.fatal);
  if (fatal.length > 0) throw new Error(fatal.map((problem) => problem.message).join('\nlunette: '));

  const asked = untilSignal((signal) => log.info(`${signal}: draining; once more leaves at once`));
  const daemon = await Daemon.start({
    registry,
    log,
    commandTimeout,
    drainTimeout,
    definitions: options.definitions,
    bus: options.bus,
    checkedBuffers: options.checkedBuffers,
    tcmu: options.tcmu,
    iscsi,
    exports: options.export,
    state: options.state,
    copyBetweenLuns: options.copyBetweenLuns,
  });
  await asked;
  await daemon.stop();
  log.info('stopped');
  // A verb that never ends must not keep a stopped daemon alive.
  process.exit(0);
}
