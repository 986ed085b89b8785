import { OPEN_TIMEOUT } from '../device/disk-opener.js';
import { configure, parseDeviceConfig } from '../handlers/cfgstring.js';
import { configDescription } from '../handlers/describe-options.js';
import { TcmuService } from '../target/tcmu-service.js';
import type { DaemonOptions } from './daemon-options.js';
import { checkWithin } from './open-device.js';

/**
 * Offer the handlers to targetcli over the system bus.
 * @returns undefined where there is no bus to offer them on: the devices are served all the same
 * @throws Error where another daemon has the name
 */
export async function offerHandlers({
  registry,
  log,
  definitions,
  openTimeout = OPEN_TIMEOUT,
}: Pick<DaemonOptions, 'registry' | 'log' | 'definitions' | 'openTimeout'>): Promise<
  TcmuService | undefined
> {
  const handlers = registry.list().map(({ subtype, handler: first }) => ({
    subtype,
    description: configDescription(first),
    checkConfig: async (devConfig: string): Promise<void> => {
      // Its code may have been loaded anew.
      const handler = registry.get(subtype) ?? first;
      const config = configure(handler, parseDeviceConfig(devConfig).cfgstring, { definitions });
      await checkWithin(openTimeout, handler, config);
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
