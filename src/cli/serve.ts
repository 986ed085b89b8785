import { Daemon } from '../daemon/daemon.js';
import { createLog, type LogFormat, type LogLevel } from '../daemon/log.js';
import { handlerRegistry } from '../daemon/handler-registry.js';
import { checkKernel } from '../target/prerequisites.js';
import { secondsOption } from './numbers.js';

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
}

/** Resolves when a signal asks to leave; the second signal does not wait for anything. */
function untilSignal(onFirst: (signal: string) => void): Promise<void> {
  return new Promise((resolve) => {
    let leaving = false;
    const onSignal = (signal: NodeJS.Signals): void => {
      if (leaving) process.exit(1);
      leaving = true;
      onFirst(signal);
      resolve();
    };
    process.on('SIGTERM', onSignal).on('SIGINT', onSignal);
  });
}

/** `lunette serve`. */
export async function serve(options: ServeOptions): Promise<void> {
  const commandTimeout =
    options.commandTimeout === undefined
      ? undefined
      : secondsOption('--command-timeout', options.commandTimeout);
  const drainTimeout = secondsOption('--drain-timeout', options.drainTimeout);
  const registry = await handlerRegistry(options.handler, options.subtypePrefix);
  const log = createLog(options.logLevel, options.logFormat);

  const problems = checkKernel({ bus: options.bus });
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
  });
  await asked;
  await daemon.stop();
  log.info('stopped');
  // A verb that never ends must not keep a stopped daemon alive.
  process.exit(0);
}
