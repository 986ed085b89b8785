import { expect } from 'chai';
import { Device } from '../../src/device/device.js';
import type { DeviceOptions } from '../../src/device/device-options.js';
import type { CommandContext, Disk, HandlerLog } from '../../src/handlers/contract.js';
import { EmulatedKernel, type EmulatedKernelOptions } from '../../src/testing/emulated-kernel.js';
import { Initiator } from '../../src/testing/initiator.js';
import { ScsiError } from '../../src/testing/scsi-error.js';

export const quietLog: HandlerLog = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

export function context(fields: Partial<CommandContext> = {}): CommandContext {
  return { fua: false, dpo: false, signal: new AbortController().signal, ...fields };
}

/** Bytes that tell where they belong and which write they are of. */
export function pattern(length: number, seed: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length; at++) bytes[at] = (seed * 131 + at * 7 + (at >> 9) * 13 + 1) & 0xff;
  return bytes;
}

/** Equal, without chai printing megabytes where it is not. */
export function expectBytes(actual: Uint8Array, expected: Uint8Array, what: string): void {
  expect(actual.length, `${what}: length`).to.equal(expected.length);
  const at = actual.findIndex((byte, index) => byte !== expected[index]);
  if (at >= 0) expect.fail(`${what}: byte ${at} is ${actual[at]}, should be ${expected[at]}`);
}

/** What a verb fails with; a handler may throw at once or reject. */
export async function failureOf(verb: () => unknown): Promise<NodeJS.ErrnoException> {
  try {
    await verb();
  } catch (error) {
    return error as NodeJS.ErrnoException;
  }
  return expect.fail('should have failed');
}

/** A disk on an emulated ring, and one who sends it commands. */
export interface Served {
  readonly device: Device;
  readonly kernel: EmulatedKernel;
  readonly initiator: Initiator;
}

/** Serve `disk` as the daemon does, with an emulator where the kernel would be; closing the device closes the disk. */
export function serve(
  disk: Disk,
  kernelOptions: EmulatedKernelOptions = {},
  deviceOptions: Partial<DeviceOptions> = {},
): Served {
  const kernel = new EmulatedKernel(kernelOptions);
  const device = new Device({ name: 'test', region: kernel.region, disk, log: quietLog, ...deviceOptions });
  device.start();
  return { device, kernel, initiator: new Initiator(kernel) };
}

/** The sense data a command ends with. */
export async function senseOf(command: () => Promise<unknown>): Promise<{ key: number; code: number }> {
  const error = await failureOf(command);
  if (!(error instanceof ScsiError) || !error.sense) throw error;
  const { key, code } = error.sense;
  return { key, code };
}
