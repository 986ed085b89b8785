import { native } from '../native/addon.js';

/** The environment that systemd gives a service with WatchdogSec= (sd_watchdog_enabled(3)). */
export interface WatchdogEnvironment {
  readonly WATCHDOG_USEC?: string;
  readonly WATCHDOG_PID?: string;
}

/** Milliseconds: twice in the time after which systemd ends the service; undefined where it does not watch. */
export function pingInterval(
  { WATCHDOG_USEC, WATCHDOG_PID }: WatchdogEnvironment,
  pid = process.pid,
): number | undefined {
  // Inherited from a parent that is watched itself.
  if (WATCHDOG_PID !== undefined && Number(WATCHDOG_PID) !== pid) return undefined;
  const microseconds = Number(WATCHDOG_USEC);
  return microseconds > 0 ? Math.max(1, microseconds / 2000) : undefined;
}

/**
 * Tell the service manager regularly that the event loop goes round. One that a handler blocks for longer than
 * WatchdogSec= makes it end the service and start it anew.
 * @returns how to end it
 */
export function pingWatchdog(
  environment: WatchdogEnvironment = process.env,
  notify: (state: string) => void = (state) => void native().notify(state),
): () => void {
  const interval = pingInterval(environment);
  if (interval === undefined) return () => undefined;
  notify('WATCHDOG=1');
  const timer = setInterval(() => notify('WATCHDOG=1'), interval).unref();
  return () => clearInterval(timer);
}
