import { shellWord, type Check, type Finding } from './finding.js';
import { titleOf, type Process } from './processes.js';

/** A command is noticed, and then answered, up to two eighths of its budget late (device/command-budget.ts). */
const LATENESS = 1.25;

function option(args: readonly string[], name: string): string | undefined {
  const at = args.findIndex((arg) => arg === name || arg.startsWith(`${name}=`));
  if (at < 0) return undefined;
  return args[at].includes('=') ? args[at].slice(name.length + 1) : args[at + 1];
}

/**
 * Seconds after which the daemon answers for a handler; 0 where it never does, undefined where it derives them from
 * the kernel's cmd_time_out.
 */
export function commandTimeout({ args }: Process): number | undefined {
  if (option(args, '--on-timeout') === 'wait') return 0;
  const seconds = option(args, '--command-timeout');
  return seconds === undefined || !Number.isFinite(Number(seconds)) ? undefined : Number(seconds);
}

export const commandTimeoutTooShort: Check = {
  id: 'command-timeout',
  readsConfigfs: true,
  find(host) {
    const findings: Finding[] = [];
    for (const device of host.devices()) {
      const kernel = host.number(host.attribute(device, 'attrib/cmd_time_out')) ?? 0;
      const [daemon] = device.openers;
      const handler = daemon && commandTimeout(daemon);
      if (handler === undefined || kernel === 0) continue;
      const worst = handler === 0 ? Infinity : handler * LATENESS;
      if (worst <= kernel) continue;
      const enough = handler === 0 ? 0 : Math.ceil(worst);
      const file = shellWord(`${device.directory}/attrib/cmd_time_out`);
      findings.push({
        id: 'command-timeout',
        subject: device.title,
        what:
          `LIO gives a command of ${device.title} ${kernel} s (cmd_time_out); ${titleOf(daemon)} gives its handler ` +
          (handler === 0
            ? 'all the time it wants'
            : `${handler} s, and answers after ${worst} s at the latest`),
        why: 'LIO fails commands that the handler would still have done, and the daemon’s own, clearer answer comes too late',
        // LIO itself refuses this while the device is exported.
        fix: { command: `echo ${enough} >${file}`, safe: true },
        advice:
          'LIO takes it only while the device has no LUN. Or start the daemon without --command-timeout, or with one of ' +
          `${Math.floor(kernel / LATENESS)} s`,
      });
    }
    return findings;
  },
};
