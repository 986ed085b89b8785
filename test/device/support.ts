import { Device } from '../../src/device/device.js';
import type { DeviceOptions } from '../../src/device/device-options.js';
import type { Disk, HandlerLog } from '../../src/handlers/contract.js';
import { decodeSense } from '../../src/scsi/sense-data.js';
import { EmulatedKernel, type EmulatedKernelOptions } from '../../src/testing/emulated-kernel.js';
import { Initiator } from '../../src/testing/initiator.js';
import type { TransportResponse } from '../../src/testing/transport.js';

/** What was logged, as `level: message`. */
export class RecordingLog implements HandlerLog {
  readonly lines: string[] = [];
  readonly debug = (message: string): void => void this.lines.push(`debug: ${message}`);
  readonly info = (message: string): void => void this.lines.push(`info: ${message}`);
  readonly warn = (message: string): void => void this.lines.push(`warn: ${message}`);
  readonly error = (message: string): void => void this.lines.push(`error: ${message}`);
}

export interface Rig {
  readonly kernel: EmulatedKernel;
  readonly device: Device;
  readonly initiator: Initiator;
  readonly log: RecordingLog;
}

/** A device that serves `disk` on an emulated ring; its unit attention of first contact is taken. */
export async function serve(
  disk: Disk,
  options: Partial<DeviceOptions> = {},
  kernelOptions: EmulatedKernelOptions = {},
): Promise<Rig> {
  const kernel = new EmulatedKernel(kernelOptions);
  const log = new RecordingLog();
  const device = new Device({
    name: 'user_0/test',
    region: kernel.region,
    disk,
    log,
    freeKeptBuffer: (id) => kernel.freeKeptBuffer(id),
    ...options,
  });
  device.start();
  const initiator = new Initiator(kernel);
  await initiator.testUnitReady();
  return { kernel, device, initiator, log };
}

/** `b/2e/02`, or the status where there are no sense data. */
export function outcome({ status, sense }: TransportResponse): string {
  const decoded = decodeSense(sense);
  if (!decoded) return `status ${status.toString(16)}`;
  const code = decoded.code.toString(16).padStart(4, '0');
  return `${decoded.key.toString(16)}/${code.slice(0, 2)}/${code.slice(2)}`;
}

/** Let everything happen that needs no timer. */
export async function turns(count = 5): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise(setImmediate);
}
