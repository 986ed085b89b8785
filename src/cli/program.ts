import { createRequire } from 'node:module';
import { Command, Option } from 'commander';
import { bashCompletion } from './completion.js';
import { addControlCommands, controlOption } from './control-commands.js';
import { isolations } from '../handlers/isolation.js';
import { DEFAULT_PORTAL } from '../daemon/iscsi-settings.js';
import { version } from '../daemon/version.js';
import type { DemoOptions } from './demo.js';
import type { DoctorOptions } from './doctor.js';
import type { ExportOptions } from './export.js';
import type { HandlersOptions } from './handlers.js';
import type { ServeOptions } from './serve.js';

/*
 * The command line: arguments in, a function of the command's own file out. Each command's code is loaded when
 * it runs, so that `--help` answers at once.
 */

const { description } = createRequire(import.meta.url)('../../package.json') as { description: string };

function collect(value: string, previous: string[]): string[] {
  return [...previous, value];
}

function program(): Command {
  const lunette = new Command('lunette')
    .description(description)
    .version(version)
    .showHelpAfterError('(see --help)')
    .showSuggestionAfterError()
    .addHelpText(
      'after',
      `
Examples:
  $ lunette demo                        a disk in memory, without root or kernel module
  $ lunette export memory --size 1G     a disk over iSCSI, without root or kernel module
  $ lunette handlers file               the options of the file handler
  $ sudo lunette serve                  serve every LUN that targetcli makes
  $ sudo targetcli /backstores/user:memory create name=disk1 size=1G cfgstring=
  $ sudo lunette stats --watch          what its disks are doing

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 no daemon listens.`,
    );
  lunette.exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2));

  const handlerOption = new Option(
    '--handler <module>',
    'also offer the handlers of a .ts or .js file or of a package; may be repeated',
  )
    .default([], 'none')
    .argParser(collect);

  const logLevelOption = new Option('--log-level <level>', 'least level to log')
    .choices(['debug', 'info', 'warn', 'error'])
    .default('info');
  const logFormatOption = new Option(
    '--log-format <format>',
    'text for people, json for programs; auto asks whether stderr is a terminal',
  )
    .choices(['auto', 'text', 'json'])
    .default('auto');
  const definitionsOption = new Option(
    '--definitions <folder>',
    'where cfgstrings of the form @NAME are looked up',
  ).default('/etc/lunette/definitions');
  const iscsiOption = new Option(
    '--iscsi [portal]',
    `HOST[:PORT] of the embedded iSCSI target; may be repeated (preset: ${DEFAULT_PORTAL})`,
  )
    .preset(DEFAULT_PORTAL)
    .default([], 'none')
    .argParser(collect);
  const chapOption = new Option('--chap <user:password>', 'what an initiator must know');
  const mutualChapOption = new Option('--mutual-chap <user:password>', 'what the target proves in turn');
  const anyoneOption = new Option(
    '--allow-anyone',
    'let portals be reached from other machines without CHAP',
  );
  const stateOption = new Option(
    '--state <folder>',
    'keep reservations (APTPL) and saved mode pages of exported disks here',
  );
  const checkedOption = new Option(
    '--checked-buffers',
    'give handlers private copies of all data, and detach them when a verb is done',
  );

  const withServeOptions = (command: Command): Command =>
    command
      .addOption(handlerOption)
      .addOption(logLevelOption)
      .addOption(logFormatOption)
      .option(
        '--command-timeout <seconds>',
        'answer a command that takes longer; 0 never (default: 3/4 of LIO’s cmd_time_out)',
      )
      .option('--drain-timeout <seconds>', 'on SIGTERM, let running commands take so long', '10')
      .option(
        '--open-timeout <seconds>',
        'give up on a handler that has not opened its disk after so long',
        '20',
      )
      .option('--subtype-prefix <text>', 'put before each handler’s name, to keep clear of another daemon’s')
      .addOption(definitionsOption)
      .option('--no-bus', 'do not offer the handlers to targetcli over the system bus')
      .addOption(checkedOption)
      .addOption(iscsiOption)
      .addOption(chapOption)
      .addOption(mutualChapOption)
      .addOption(anyoneOption)
      .addOption(
        new Option(
          '--export <definition>',
          'a disk for the embedded target alone, HANDLER/CFGSTRING; may be repeated',
        )
          .default([], 'none')
          .argParser(collect),
      )
      .addOption(stateOption)
      .option(
        '--copy-between-luns',
        'let EXTENDED COPY and ODX go between TCMU LUNs, past LIO’s access lists',
      )
      .addOption(controlOption('listen here for `lunette ls` and its like'))
      .option('--no-control', 'have no control socket')
      .option(
        '--runtime-dir <folder>',
        'keep here what lets a restarted daemon go on with unfinished commands',
        '/run/lunette',
      )
      .option('--no-tcmu', 'leave the kernel alone: embedded iSCSI target only')
      .option('--take-over', 'have the daemon that runs hand its devices over and leave, without an error')
      .addOption(
        new Option(
          '--on-timeout <policy>',
          'what becomes of a command that takes longer than its time, once it was reported',
        )
          .choices(['wait', 'abort', 'fail', 'restart'])
          .default('fail'),
      )
      .option('--trace-verbs', 'know the stack of a handler’s verb that takes too long; costs each command')
      .option(
        '--block-threshold <seconds>',
        'report a handler that keeps the event loop from turning so long; 0 never',
        '1',
      )
      .addOption(
        new Option(
          '--isolate <how>',
          'serve all devices in the daemon’s own thread, or each in a thread or a process of its own, which is ' +
            'started again when it dies; a cfgstring’s option isolate goes before',
        )
          .choices([...isolations])
          .default('thread'),
      )
      .option(
        '--restart-after <seconds>',
        'end a thread or process whose event loop has not turned so long, and start another; 0 never',
        '0',
      );

  withServeOptions(
    lunette
      .command('serve')
      .description('serve TCMU devices: existing ones, and each that targetcli makes, until SIGTERM'),
  )
    .addHelpText(
      'after',
      `
Examples:
  $ sudo lunette serve
  $ sudo lunette serve --handler ./examples/ram-disk.ts --checked-buffers
  $ sudo lunette serve --subtype-prefix lab_

The first SIGTERM or SIGINT drains, answers and leaves; a second one leaves at once. SIGHUP starts the program anew,
which takes over: so comes an upgrade to a running host.`,
    )
    .action(async (options: ServeOptions) => (await import('./serve.js')).serve(options));

  withServeOptions(
    lunette
      .command('dev')
      .description('serve, and put a handler’s code under its live disks whenever one of its files is saved')
      .argument('<module>', 'the handler’s .ts or .js file'),
  )
    .addHelpText(
      'after',
      `
Examples:
  $ sudo lunette dev ./my-disk.ts
  $ sudo lunette dev ./my-disk.ts --checked-buffers --log-level debug

Code that cannot be loaded or opened leaves the old one serving, and is told about.`,
    )
    .action(async (module: string, options: ServeOptions) => (await import('./dev.js')).dev(module, options));

  lunette
    .command('export')
    .description('export one disk over the embedded iSCSI target, until SIGINT; no root, no kernel module')
    .argument('<definition>', 'HANDLER[/CFGSTRING]: memory, file//srv/disk.img?create=1')
    .addOption(handlerOption)
    .option('--size <size>', 'capacity: 512M, 1T')
    .option('--block-size <size>', 'logical block length')
    .option('--physical-block-size <size>', 'physical block length, at least the logical one')
    .option('--read-only', 'refuse writes')
    .option('--removable', 'a medium that can be ejected')
    .option('--write-same-to-end', 'WRITE SAME of 0 blocks goes to the end of the medium (WSNZ 0)')
    .option('--name <iqn>', 'iSCSI name of the target')
    .addOption(stateOption)
    .option('--serial <text>', 'unit serial number; the world wide name is made of it')
    .addOption(iscsiOption)
    .addOption(chapOption)
    .addOption(mutualChapOption)
    .addOption(anyoneOption)
    .addOption(definitionsOption)
    .addOption(checkedOption)
    .addOption(logLevelOption)
    .addOption(logFormatOption)
    .addHelpText(
      'after',
      `
Examples:
  $ lunette export memory --size 1G
  $ lunette export 'file//srv/disk.img?create=1' --size 10G --iscsi 127.0.0.1:3261
  $ lunette export memory --size 1G --iscsi 0.0.0.0 --chap alice:correct-horse-battery

Prints the iscsi:// URL, and serves until SIGINT.`,
    )
    .action(async (definition: string, options: ExportOptions) =>
      (await import('./export.js')).exportDisk(definition, options),
    );

  lunette
    .command('demo')
    .description(
      'serve a memory disk over iSCSI on this machine, and write, verify and measure it as an initiator',
    )
    .option('--size <size>', 'capacity of the disk', '1G')
    .option('--amount <size>', 'how much to write and verify', '256M')
    .option('--seconds <number>', 'how long to measure random reads', '2')
    .option('--stay', 'go on serving until SIGINT, for initiators of your own')
    .addHelpText(
      'after',
      `
Examples:
  $ lunette demo
  $ lunette demo --size 1T --amount 64M
  $ lunette demo --stay`,
    )
    .action(async (options: DemoOptions) => (await import('./demo.js')).demo(options));

  lunette
    .command('handlers')
    .description('list the handlers, or the options of one')
    .argument('[name]', 'a handler')
    .addOption(handlerOption)
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
Examples:
  $ lunette handlers
  $ lunette handlers file
  $ lunette handlers --handler ./examples/ram-disk.ts`,
    )
    .action(async (name: string | undefined, options: HandlersOptions) =>
      (await import('./handlers.js')).handlers(name, options),
    );

  lunette
    .command('doctor')
    .description('find out what is wrong with this host’s TCMU disks, why it matters and how to mend it')
    .option('--fix', 'run those of the commands by which nobody can lose anything')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
Examples:
  $ sudo lunette doctor
  $ sudo lunette doctor --fix
  $ sudo lunette doctor --json

Exit codes: 0 healthy, 1 something was found, or is left after --fix.`,
    )
    .action(async (options: DoctorOptions) => (await import('./doctor.js')).doctor(options));

  addControlCommands(lunette);

  lunette
    .command('completion')
    .description('print a completion script for bash and zsh')
    .addHelpText(
      'after',
      `
Examples:
  $ eval "$(lunette completion)"
  $ lunette completion | sudo tee /usr/share/bash-completion/completions/lunette`,
    )
    .action(() => console.log(bashCompletion(lunette)));

  return lunette;
}

/** Do what the arguments of this process say, and set its exit code. */
export async function runCommandLine(): Promise<void> {
  try {
    await program().parseAsync();
  } catch (error) {
    // What a command throws is meant for the user: one line, and the stack only where it was asked for.
    console.error(`lunette: ${(error as Error).message}`);
    if (process.env.LUNETTE_DEBUG) console.error((error as Error).stack);
    process.exitCode = (error as { exitCode?: number }).exitCode ?? 1;
  }
}
