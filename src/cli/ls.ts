import { formatSize } from '../handlers/options.js';
import { printJson, withDaemon, type ControlOptions } from './control-options.js';
import { plainTable } from './table.js';

export interface LsOptions extends ControlOptions {
  json?: boolean;
}

/** `lunette ls`. */
export async function ls(options: LsOptions): Promise<void> {
  const devices = await withDaemon(options, (client) => client.list());
  if (options.json) return printJson(devices);
  if (devices.length === 0) {
    console.log('The daemon serves no TCMU device: `targetcli /backstores/user:HANDLER create` makes one.');
    return;
  }
  const rows = devices.map(({ name, state, handler, size, inFlight }) => [
    name,
    state,
    handler,
    formatSize(size),
    String(inFlight),
  ]);
  console.log(plainTable(['DEVICE', 'STATE', 'HANDLER', 'SIZE', 'IN FLIGHT'], rows));
}
