import type { DiskMaker } from '../../handlers/contract.js';
import type { HandlerRegistry } from '../../handlers/registry.js';
import { native } from '../../native/addon.js';
import { LoopMarks } from '../../device/loop-marks.js';
import type { Logger } from '../log.js';
import { LoopWatch } from '../loop/loop-watch.js';
import { HostedDevice } from './hosted-device.js';
import {
  HEARTBEAT_INTERVAL,
  plainError,
  type FromHost,
  type HandlerSource,
  type HostStart,
  type ToHost,
} from './protocol.js';

/** How a host is connected to the daemon. */
export interface HostPort {
  post(message: FromHost): void;
  onMessage(listener: (message: ToHost) => void): void;
  /** Nothing comes any more. */
  close(): void;
  /** Of a process of its own. */
  readonly isMainThread: boolean;
}

/** Loads what opens disks. */
export type LoadHandlers = (
  source: HandlerSource,
) => HandlerRegistry<DiskMaker> | Promise<HandlerRegistry<DiskMaker>>;

/** Makes what the host logs with. */
export type MakeLog = (level: HostStart['log']['level'], format: HostStart['log']['format']) => Logger;

/** Who looks at them: the daemon where this is a thread of its process, else a thread of this process. */
function marks(
  { isMainThread }: HostPort,
  { settings: { blockThreshold: threshold = 0 }, log: { format }, loopMemory: memory }: HostStart,
  log: Logger,
): LoopMarks | undefined {
  if (threshold === 0) return undefined;
  if (isMainThread) return new LoopWatch({ threshold, format, log }).marks;
  return memory && new LoopMarks({ memory, threshold });
}

/** What runs in a thread or process that serves one device. */
export async function runHost(
  port: HostPort,
  start: HostStart,
  makeLog: MakeLog,
  load: LoadHandlers,
): Promise<void> {
  const { handlers, settings, log: logOptions } = start;
  const log = makeLog(logOptions.level, logOptions.format);
  // A thread's last words the daemon hears anyway.
  if (port.isMainThread) {
    process.on('uncaughtException', (error) => {
      log.error(`the device's process ends: ${error.stack ?? error.message}`);
      process.exit(1);
    });
  }
  const early: ToHost[] = [];
  let take = (message: ToHost): void => void early.push(message);
  port.onMessage((message) => take(message));

  let registry: HandlerRegistry<DiskMaker>;
  try {
    registry = await load(handlers);
  } catch (error) {
    port.post({ kind: 'failed', error: plainError(error) });
    port.close();
    return;
  }
  // A thread's memory is the daemon's. After loading, which maps more. The daemon has said it where it is not allowed.
  if (port.isMainThread) native().lockMemory();
  // From now on: loading code may take its time.
  const loopMarks = marks(port, start, log);
  loopMarks?.start();
  const device = new HostedDevice({
    registry,
    settings: { ...settings, loopMarks, restart: (reason) => port.post({ kind: 'stuck', reason }) },
    log,
    onTrace: (batch) => port.post({ kind: 'trace', batch }),
  });

  take = ({ id, call, parameters }: ToHost): void => {
    const method = device[call].bind(device) as (given: unknown) => unknown;
    void (async () => {
      try {
        port.post({ kind: 'result', id, value: await method(parameters) });
      } catch (error) {
        port.post({ kind: 'error', id, error: plainError(error) });
      }
    })();
  };
  setInterval(
    () => port.post({ kind: 'heartbeat', statistics: device.counters, state: device.state }),
    HEARTBEAT_INTERVAL,
  );
  port.post({ kind: 'ready' });
  for (const message of early) take(message);
}
