import { Daemon } from '../daemon/daemon.js';
import { createLog, isForPeople, type Logger, type LogFormat, type LogLevel } from '../daemon/log.js';
import { handlerRegistry } from '../daemon/handler-registry.js';
import { iscsiSettings } from '../daemon/iscsi-settings.js';
import { checkKernel } from '../target/prerequisites.js';
import { LoopWatch } from '../daemon/loop/loop-watch.js';
import type { Isolation } from '../handlers/isolation.js';
import type { TimeoutPolicy } from '../device/command-budget.js';
import { spawnSuccessor } from '../daemon/take-over.js';
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
  /** Path of the control socket; false with --no-control. */
  control: string | false;
  checkedBuffers?: boolean;
  tcmu: boolean;
  iscsi: string[];
  export: string[];
  state?: string;
  copyBetweenLuns?: boolean;
  runtimeDir: string;
  takeOver?: boolean;
  onTimeout: TimeoutPolicy;
  traceVerbs?: boolean;
  blockThreshold: string;
  isolate: Isolation;
  restartAfter: string;
  chap?: string;
  mutualChap?: string;
  allowAnyone?: boolean;
}

/** What another command does besides. */
export interface ServeHooks {
  /** The daemon serves. @returns called when it stops */
  onReady?(daemon: Daemon, log: Logger): Promise<() => Promise<void>>;
}

/** `lunette serve`. */
export async function serve(options: ServeOptions, hooks: ServeHooks = {}): Promise<void> {
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
  const blockThreshold = secondsOption('--block-threshold', options.blockThreshold);
  const restartAfter = secondsOption('--restart-after', options.restartAfter);
  const format = isForPeople(options.logFormat) ? 'text' : 'json';
  const loopWatch =
    blockThreshold > 0 ? new LoopWatch({ threshold: blockThreshold, format, log }) : undefined;
  // Disks that are exported are served here, and are no devices.
  if (options.export.length > 0) await loopWatch?.start();
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
    runtimeDirectory: options.runtimeDir,
    takeOver: options.takeOver,
    onTimeout: options.onTimeout,
    traceVerbs: options.traceVerbs,
    loopMarks: loopWatch?.marks,
    isolation: {
      isolation: options.isolate,
      handlers: { modules: options.handler, prefix: options.subtypePrefix },
      logFormat: options.logFormat,
      blockThreshold,
      restartAfter,
    },
    control: options.control === false ? undefined : options.control,
  });
  const finish = await hooks.onReady?.(daemon, log);
  process.on('SIGHUP', () => {
    log.info('SIGHUP: starting the program that takes over');
    spawnSuccessor((reason) => log.error(`no new program has taken over: ${reason}`));
  });
  const taken = daemon.replaced.then(() => true);
  if (await Promise.race([asked, taken])) process.exit(0);
  await finish?.();
  await daemon.stop();
  log.info('stopped');
  // A verb that never ends must not keep a stopped daemon alive.
  process.exit(0);
}
