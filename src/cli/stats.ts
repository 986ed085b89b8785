import { latencyBetween, latencyPercentile } from '../client/latency.js';
import type { DeviceStatisticsReport, Result } from '../daemon/control/schema.js';
import { printJson, withDaemon, type ControlOptions } from './control-options.js';
import { secondsOption } from './numbers.js';
import { plainTable } from './table.js';

export interface StatsOptions extends ControlOptions {
  watch?: boolean;
  interval: string;
  count?: string;
  json?: boolean;
}

type Report = Result<'stats'>;

const MIB = 1024 * 1024;

function microseconds(value: number | undefined): string {
  return value === undefined ? '-' : `${value < 100 ? value.toFixed(1) : value.toFixed(0)} µs`;
}

function totals({ devices }: Report): string {
  const rows = devices.map((device) => [
    device.name,
    String(device.commands),
    String(device.reads),
    String(device.writes),
    (device.readBytes / MIB).toFixed(1),
    (device.writtenBytes / MIB).toFixed(1),
    String(device.inFlight),
    String(device.errors),
    String(device.handlerErrors),
    String(device.timeouts),
    microseconds(latencyPercentile(device.latency, 0.5)),
    microseconds(latencyPercentile(device.latency, 0.99)),
  ]);
  const head =
    'DEVICE COMMANDS READS WRITES MiB_READ MiB_WRITTEN IN_FLIGHT ERRORS HANDLER TIMEOUTS MEDIAN 99%';
  return plainTable(head.replaceAll('_', '\u00a0').split(' '), rows).replaceAll('\u00a0', ' ');
}

/** What happened between two reports, by the second. */
interface Rates {
  readonly name: string;
  readonly seconds: number;
  readonly inFlight: number;
  readonly readsPerSecond: number;
  readonly writesPerSecond: number;
  readonly readBytesPerSecond: number;
  readonly writtenBytesPerSecond: number;
  readonly errors: number;
  /** Microseconds; absent where nothing was measured. */
  readonly median?: number;
  readonly percentile99?: number;
}

function rates(before: DeviceStatisticsReport, now: DeviceStatisticsReport, seconds: number): Rates {
  const latency = latencyBetween(before.latency, now.latency);
  return {
    name: now.name,
    seconds,
    inFlight: now.inFlight,
    readsPerSecond: (now.reads - before.reads) / seconds,
    writesPerSecond: (now.writes - before.writes) / seconds,
    readBytesPerSecond: (now.readBytes - before.readBytes) / seconds,
    writtenBytesPerSecond: (now.writtenBytes - before.writtenBytes) / seconds,
    errors: now.errors - before.errors,
    median: latencyPercentile(latency, 0.5),
    percentile99: latencyPercentile(latency, 0.99),
  };
}

function allRates(before: Report, now: Report): Rates[] {
  const seconds = (now.time - before.time) / 1000;
  return now.devices.flatMap((device) => {
    const earlier = before.devices.find(({ name }) => name === device.name);
    // A device that was made anew under its old name has counted less than before.
    if (!earlier || earlier.commands > device.commands) return [];
    return [rates(earlier, device, seconds)];
  });
}

function ratesTable(all: readonly Rates[]): string {
  const rows = all.map((device) => [
    device.name,
    device.readsPerSecond.toFixed(0),
    device.writesPerSecond.toFixed(0),
    (device.readBytesPerSecond / MIB).toFixed(1),
    (device.writtenBytesPerSecond / MIB).toFixed(1),
    String(device.inFlight),
    String(device.errors),
    microseconds(device.median),
    microseconds(device.percentile99),
  ]);
  const head = ['DEVICE', 'READS/s', 'WRITES/s', 'MiB/s READ', 'MiB/s WRITTEN', 'IN FLIGHT', 'ERRORS'];
  return plainTable([...head, 'MEDIAN', '99%'], rows);
}

async function watch(ask: () => Promise<Report>, options: StatsOptions): Promise<void> {
  const milliseconds = secondsOption('--interval', options.interval);
  if (milliseconds < 100) throw new Error('--interval: at least 0.1 seconds');
  const count = options.count === undefined ? Number.POSITIVE_INFINITY : Number(options.count);
  if (!(count >= 1)) throw new Error(`--count: '${options.count}' is not a number of reports, 1 or more`);
  let before = await ask();
  for (let shown = 0; shown < count; shown++) {
    await new Promise((resolve) => setTimeout(resolve, milliseconds));
    const now = await ask();
    const all = allRates(before, now);
    before = now;
    if (options.json) {
      console.log(JSON.stringify({ time: now.time, devices: all }));
      continue;
    }
    // The cursor goes home and what was below is erased: the table stays where it is.
    if (process.stdout.isTTY) process.stdout.write('\u001b[H\u001b[J');
    console.log(all.length === 0 ? 'no device is served' : ratesTable(all));
  }
}

/** `lunette stats [DEVICE]`. */
export async function stats(device: string | undefined, options: StatsOptions): Promise<void> {
  await withDaemon(options, async (client) => {
    if (options.watch) return watch(() => client.stats(device), options);
    const report = await client.stats(device);
    if (options.json) return printJson(report.devices);
    console.log(report.devices.length === 0 ? 'The daemon serves no device.' : totals(report));
  });
}
