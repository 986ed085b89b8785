import { openRpcDocument } from '../daemon/control/open-rpc.js';
import type { LogLevel } from '../daemon/log.js';
import { version } from '../daemon/version.js';
import { printJson, withDaemon, type ControlOptions } from './control-options.js';

export interface LogLevelOptions extends ControlOptions {
  json?: boolean;
}

/** `lunette log-level [LEVEL]`. */
export async function logLevel(level: LogLevel | undefined, options: LogLevelOptions): Promise<void> {
  const now = await withDaemon(options, async (client) => {
    if (level !== undefined) await client.setLogLevel(level);
    return client.logLevel();
  });
  if (options.json) printJson({ level: now });
  else console.log(now);
}

export interface ControlCommandOptions extends ControlOptions {
  schema?: boolean;
  json?: boolean;
}

/** `lunette control`. */
export async function control(options: ControlCommandOptions): Promise<void> {
  // Of this program, not of the daemon: for those who write a client where none runs.
  if (options.schema) return printJson(openRpcDocument(version));
  const answer = await withDaemon(options, (client) => client.version());
  if (options.json) return printJson({ ...answer, path: options.control });
  console.log(
    `lunette ${answer.version}, process ${answer.pid}, up ${Math.round(answer.uptime)} s, at ${options.control}`,
  );
}
