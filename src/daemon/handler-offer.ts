import { configure, parseDeviceConfig } from '../handlers/cfgstring.js';
import { configDescription } from '../handlers/registry.js';
import { TcmuService } from '../target/tcmu-service.js';
import type { DaemonOptions } from './daemon-options.js';

/**
 * Offer the handlers to targetcli over the system bus.
 * @returns undefined where there is no bus to offer them on: the devices are served all the same
 * @throws Error where another daemon has the name
 */
export async function offerHandlers({
  registry,
  log,
  definitions,
}: Pick<DaemonOptions, 'registry' | 'log' | 'definitions'>): Promise<TcmuService | undefined> {
  const handlers = registry.list().map(({ subtype, handler: first }) => ({
    subtype,
    description: configDescription(first),
    checkConfig: async (devConfig: string): Promise<void> => {
      // Its code may have been loaded anew.
      const handler = registry.get(subtype) ?? first;
      const config = configure(handler, parseDeviceConfig(devConfig).cfgstring, { definitions });
      await handler.check?.(config);
    },
  }));
  try {
    return await TcmuService.start({ handlers, log });
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ALREADY_RUNNING') throw error;
    log.warn(`targetcli will not list the handlers: ${message}`);
    return undefined;
  }
}
