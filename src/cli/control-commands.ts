import { Option, type Command } from 'commander';
import { DEFAULT_CONTROL_PATH } from '../daemon/control/control-path.js';
import type { LogLevel } from '../daemon/log.js';
import type { ControlCommandOptions, LogLevelOptions } from './control-daemon.js';
import type { DeviceOptions, PauseOptions } from './control-device.js';
import type { LsOptions } from './ls.js';
import type { ShowOptions } from './show.js';
import type { StatsOptions } from './stats.js';
import type { TraceOptions } from './trace.js';

const DEVICE = 'HBA/NAME as `lunette ls` lists it, or NAME alone where one device has it';

/** Where to find the daemon, or where it listens. */
export function controlOption(description = 'the daemon’s control socket'): Option {
  return new Option('--control <path>', description).default(DEFAULT_CONTROL_PATH);
}

/** One command that talks to a daemon, with the options all of them have. */
function command(lunette: Command, name: string, description: string, examples: readonly string[]): Command {
  const lines = examples.map((example) => `  $ sudo lunette ${example}`);
  return lunette
    .command(name)
    .description(description)
    .addOption(controlOption())
    .option('--json', 'print JSON')
    .addHelpText('after', `\nExamples:\n${lines.join('\n')}`);
}

function addDeviceCommands(lunette: Command): void {
  command(lunette, 'ls', 'list the devices a running daemon serves', ['ls', 'ls --json']).action(
    async (options: LsOptions) => (await import('./ls.js')).ls(options),
  );

  command(lunette, 'show', 'show all about one device', ['show disk1', 'show user_0/disk1 --json'])
    .argument('<device>', DEVICE)
    .action(async (device: string, options: ShowOptions) =>
      (await import('./show.js')).show(device, options),
    );

  command(
    lunette,
    'pause',
    'take no more commands of a device, and wait until those taken are answered; ' +
      'LIO gives up on what waits after its cmd_time_out (30 s unless set)',
    ['pause disk1', 'pause disk1 --timeout 60'],
  )
    .argument('<device>', DEVICE)
    .option('--timeout <seconds>', 'how long to wait for them', '10')
    .action(async (device: string, options: PauseOptions) =>
      (await import('./control-device.js')).pause(device, options),
    );

  command(lunette, 'resume', 'go on after pause', ['resume disk1'])
    .argument('<device>', DEVICE)
    .action(async (device: string, options: DeviceOptions) =>
      (await import('./control-device.js')).resume(device, options),
    );

  command(lunette, 'reload', 'load the code of a device’s handler anew, under I/O', ['reload disk1'])
    .argument('<device>', DEVICE)
    .action(async (device: string, options: DeviceOptions) =>
      (await import('./control-device.js')).reload(device, options),
    );
}

/** `ls`, `show`, `pause`, `resume`, `reload`, `stats`, `trace`, `log-level` and `control`. */
export function addControlCommands(lunette: Command): void {
  addDeviceCommands(lunette);

  command(lunette, 'stats', 'count commands, bytes, errors and latencies', [
    'stats',
    'stats disk1 --watch',
    'stats --watch --interval 5 --json',
  ])
    .argument('[device]', DEVICE)
    .option('--watch', 'show rates, again and again, until SIGINT')
    .option('--interval <seconds>', 'with --watch: from one report to the next', '1')
    .option('--count <number>', 'with --watch: end after so many reports')
    .action(async (device: string | undefined, options: StatsOptions) =>
      (await import('./stats.js')).stats(device, options),
    );

  command(lunette, 'trace', 'show each command a device answers, until SIGINT', [
    'trace disk1',
    'trace disk1 --count 100 --json',
  ])
    .argument('<device>', DEVICE)
    .option('--count <number>', 'end after so many commands')
    .action(async (device: string, options: TraceOptions) =>
      (await import('./trace.js')).trace(device, options),
    );

  command(lunette, 'log-level', 'show, or change, the least level the daemon logs', [
    'log-level',
    'log-level debug',
  ])
    .addArgument(
      lunette.createArgument('[level]', 'the new level').choices(['debug', 'info', 'warn', 'error']),
    )
    .action(async (level: LogLevel | undefined, options: LogLevelOptions) =>
      (await import('./control-daemon.js')).logLevel(level, options),
    );

  command(lunette, 'control', 'tell which daemon listens, or how programs talk to it', [
    'control',
    'control --schema > lunette-openrpc.json',
  ])
    .option('--schema', 'print the interface as an OpenRPC document, JSON schemas included')
    .action(async (options: ControlCommandOptions) => (await import('./control-daemon.js')).control(options));
}
