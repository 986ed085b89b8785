import type { Result } from '../daemon/control/schema.js';
import { printJson, withDaemon, type ControlOptions } from './control-options.js';
import { secondsOption } from './numbers.js';

export interface DeviceOptions extends ControlOptions {
  json?: boolean;
}

export interface PauseOptions extends DeviceOptions {
  timeout: string;
}

function print({ name, state }: Result<'resume'>, json: boolean | undefined): void {
  if (json) printJson({ name, state });
  else console.log(`${name}: ${state}`);
}

/** `lunette pause DEVICE`. */
export async function pause(device: string, options: PauseOptions): Promise<void> {
  const seconds = secondsOption('--timeout', options.timeout) / 1000;
  print(await withDaemon(options, (client) => client.pause(device, seconds)), options.json);
}

/** `lunette resume DEVICE`. */
export async function resume(device: string, options: DeviceOptions): Promise<void> {
  print(await withDaemon(options, (client) => client.resume(device)), options.json);
}

/** `lunette reload DEVICE`. */
export async function reload(device: string, options: DeviceOptions): Promise<void> {
  print(await withDaemon(options, (client) => client.reload(device)), options.json);
}
