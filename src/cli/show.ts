import type { DeviceDetails } from '../daemon/control/schema.js';
import { formatSize } from '../handlers/size-text.js';
import { printJson, withDaemon, type ControlOptions } from './control-options.js';
import { transportName } from './ls.js';
import { plainTable } from './table.js';

export interface ShowOptions extends ControlOptions {
  json?: boolean;
}

const yesNo = (value: boolean): string => (value ? 'yes' : 'no');

/** Who serves it, and how often that died. */
function host({ isolation, pid, restarts }: DeviceDetails): string {
  const where =
    isolation === 'none'
      ? 'the daemon’s own thread'
      : isolation === undefined
        ? 'the daemon'
        : `a ${isolation} of its own`;
  const times = restarts ? `, started again ${restarts} ${restarts === 1 ? 'time' : 'times'}` : '';
  return `${where}${pid === undefined ? '' : ` (process ${pid})`}${times}`;
}

/** `lunette show DEVICE`. */
export async function show(name: string, options: ShowOptions): Promise<void> {
  const device = await withDaemon(options, (client) => client.show(name));
  if (options.json) return printJson(device);
  const timeout = device.commandTimeout === 0 ? 'never' : `${device.commandTimeout / 1000} s`;
  const rows = [
    ['state', device.state],
    ['handler', device.handler],
    ['configuration', device.config],
    ['size', `${formatSize(device.size)} (${device.size} bytes)`],
    ['block size', `${device.blockSize} bytes`],
    ['read-only', yesNo(device.readOnly)],
    ['thin provisioned', yesNo(device.thin)],
    ['vendor', device.vendor],
    ['product', device.product],
    ['revision', device.revision],
    ['serial number', device.serial],
    ['transport', transportName[device.transport]],
    [device.transport === 'tcmu' ? 'ring' : 'URL', device.path],
    ['in flight', String(device.inFlight)],
    ['command timeout', timeout],
    ['served by', host(device)],
  ];
  console.log(plainTable([device.name, ''], rows));
}
