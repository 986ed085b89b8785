import { CommandRing } from '../../src/ring/command-ring.js';
import type { RingCommand } from '../../src/ring/ring-command.js';
import { EmulatedKernel, type EmulatedKernelOptions } from '../../src/testing/emulated-kernel.js';
import type { PendingCommand } from '../../src/testing/pending-command.js';
import type { TransportResponse } from '../../src/testing/transport.js';
import { Recorder, sixByteCdb, SMALL_ENTRY, turn } from '../ring/support.js';

export interface Setup {
  kernel: EmulatedKernel;
  ring: CommandRing;
  recorder: Recorder;
}

export function connect(kernel: EmulatedKernel): Setup {
  const recorder = new Recorder();
  const ring = new CommandRing(kernel.region, recorder);
  ring.start();
  return { kernel, ring, recorder };
}

export const setup = (options: EmulatedKernelOptions = {}): Setup => connect(new EmulatedKernel(options));

export const queue = (kernel: EmulatedKernel, dataInLength = 0): PendingCommand =>
  kernel.queue({ cdb: sixByteCdb, dataInLength });

/** A ring that one entry leaves no room for another. */
export const ONE_ENTRY = { ringSize: 2 * SMALL_ENTRY };

/** How a command ended, or undefined while it has not. */
export async function ended({ done }: PendingCommand): Promise<TransportResponse | undefined> {
  return Promise.race([done, turn().then(() => undefined)]);
}

export const statusOf = async (command: PendingCommand): Promise<number | undefined> =>
  (await ended(command))?.status;

export const ids = (commands: readonly RingCommand[]): number[] => commands.map(({ id }) => id);
