import { formatSize } from '../handlers/size-text.js';
import { printJson, withDaemon, type ControlOptions } from './control-options.js';
import { plainTable } from './table.js';

export interface LsOptions extends ControlOptions {
  json?: boolean;
}

/** For people. */
export const transportName = { tcmu: 'TCMU', iscsi: 'iSCSI' } as const;

/** `lunette ls`. */
export async function ls(options: LsOptions): Promise<void> {
  const devices = await withDaemon(options, (client) => client.list());
  if (options.json) return printJson(devices);
  if (devices.length === 0) {
    console.log('The daemon serves no device: `targetcli /backstores/user:HANDLER create` makes one.');
    return;
  }
  const rows = devices.map(({ name, transport, state, handler, size, inFlight }) => [
    name,
    transportName[transport],
    state,
    handler,
    formatSize(size),
    String(inFlight),
  ]);
  console.log(plainTable(['DEVICE', 'TRANSPORT', 'STATE', 'HANDLER', 'SIZE', 'IN FLIGHT'], rows));
}
