import { ConfigError } from './config-error.js';

/** Where a device is served: in the daemon's own thread, in a thread of its own, or in a process of its own. */
export const isolations = ['none', 'thread', 'process'] as const;

export type Isolation = (typeof isolations)[number];

/** The option of a cfgstring that every handler has, unless it has one of that name itself. */
export const ISOLATE = 'isolate';

/** @throws ConfigError where there is no such isolation */
export function parseIsolation(text: string): Isolation {
  const found = isolations.find((name) => name === text);
  if (found) return found;
  throw new ConfigError('BAD_OPTION', `${ISOLATE}: '${text}' is none of ${isolations.join(', ')}`);
}
