import type { TracedCommand } from '../daemon/control/schema.js';
import { withDaemon, type ControlOptions } from './control-options.js';

export interface TraceOptions extends ControlOptions {
  count?: string;
  json?: boolean;
}

const statusNames: Readonly<Record<number, string>> = {
  0x00: 'GOOD',
  0x02: 'CHECK CONDITION',
  0x04: 'CONDITION MET',
  0x08: 'BUSY',
  0x18: 'RESERVATION CONFLICT',
  0x28: 'TASK SET FULL',
  0x30: 'ACA ACTIVE',
  0x40: 'TASK ABORTED',
};

/** @throws Error that names the option */
function countOption(value: string | undefined): number {
  if (value === undefined) return Number.POSITIVE_INFINITY;
  const count = Number(value);
  if (!Number.isSafeInteger(count) || count < 1) {
    throw new Error(`--count: '${value}' is not a number of commands, 1 or more`);
  }
  return count;
}

/** Sense key, additional sense code and its qualifier, as they are written: `05/20/00`. */
function senseCodes(sense: string): string {
  const bytes = Buffer.from(sense, 'hex');
  const descriptors = (bytes[0] & 0x7e) === 0x72;
  const codes = descriptors ? [bytes[1], bytes[2], bytes[3]] : [bytes[2], bytes[12], bytes[13]];
  return codes
    .map((byte, index) => ((byte ?? 0) & (index === 0 ? 0x0f : 0xff)).toString(16).padStart(2, '0'))
    .join('/');
}

function line({ time, name, status, sense, microseconds, bytes, cdb }: TracedCommand): string {
  const clock = new Date(time).toISOString().slice(11, 23);
  const outcome =
    sense === undefined
      ? (statusNames[status] ?? `status ${status.toString(16)}h`)
      : `${statusNames[status] ?? status} ${senseCodes(sense)}`;
  return [
    clock,
    name.padEnd(20),
    outcome.padEnd(24),
    `${microseconds.toFixed(1)} µs`.padStart(12),
    String(bytes).padStart(9),
    ` ${cdb.replace(/..(?=.)/g, '$& ')}`,
  ].join(' ');
}

/** `lunette trace DEVICE`: a line for each command, until ^C, `--count`, or the device's end. */
export async function trace(device: string, options: TraceOptions): Promise<void> {
  const count = countOption(options.count);
  await withDaemon(options, async (client) => {
    const commands = await client.trace(device);
    if (!options.json) {
      console.log(
        `${'TIME'.padEnd(12)} ${'COMMAND'.padEnd(20)} ${'STATUS'.padEnd(24)} ${'LATENCY'.padStart(12)} ${'BYTES'.padStart(9)}  CDB`,
      );
    }
    let shown = 0;
    let dropped = 0;
    for await (const command of commands) {
      if (commands.dropped > dropped) {
        console.error(`lunette: ${commands.dropped - dropped} commands came too fast to be shown`);
        ({ dropped } = commands);
      }
      console.log(options.json ? JSON.stringify(command) : line(command));
      if (++shown >= count) break;
    }
  });
}
