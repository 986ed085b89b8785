import { accessSync, constants, existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { systemBusAddress } from './bus-address.js';

/** Something the kernel or the system lacks. */
export interface Problem {
  /** One line: what is missing, and the command that fixes it. */
  readonly message: string;
  /** Whether no device can be served without it. */
  readonly fatal: boolean;
}

export interface PrerequisiteOptions {
  /** Whether the handlers are to be offered to targetcli over the system bus. */
  readonly bus: boolean;
  /** Default /sys, /dev and /proc. */
  readonly sys?: string;
  readonly dev?: string;
  readonly proc?: string;
  /** Effective user id. Default: this process's. */
  readonly uid?: number;
  readonly platform?: NodeJS.Platform;
  /** Default: the system bus. */
  readonly busAddress?: string;
}

function socketPath(busAddress: string): string | undefined {
  return /^unix:(?:.*,)?path=([^,;]+)/.exec(busAddress)?.[1];
}

function unreadable(path: string): boolean {
  try {
    accessSync(path, constants.R_OK | constants.W_OK);
    return false;
  } catch {
    return true;
  }
}

function runningPid(proc: string, command: string): string | undefined {
  try {
    return readdirSync(proc).find((pid) => {
      if (!/^\d+$/.test(pid)) return false;
      try {
        return readFileSync(join(proc, pid, 'comm'), 'utf8').trim() === command;
      } catch {
        return false;
      }
    });
  } catch {
    return undefined;
  }
}

function fatalProblems({ sys = '/sys', dev = '/dev', ...options }: PrerequisiteOptions): string[] {
  if ((options.platform ?? process.platform) !== 'linux') {
    return ["TCMU is a part of Linux: here, only 'lunette demo' and the tests run"];
  }
  const problems: string[] = [];
  const uid = options.uid ?? process.geteuid?.();
  if (uid !== 0) problems.push("root is needed to serve devices: run it with 'sudo'");
  if (!existsSync(join(sys, 'module/target_core_user'))) {
    problems.push(
      "the kernel module target_core_user is not loaded: run 'modprobe target_core_user' " +
        '(where there is none, install the package with the extra modules of the running kernel)',
    );
  } else if (!existsSync(join(sys, 'kernel/config/target/core'))) {
    problems.push(
      existsSync(join(sys, 'kernel/config/target'))
        ? "LIO has no core directory in configfs: run 'modprobe target_core_mod'"
        : "configfs is not mounted: run 'mount -t configfs none /sys/kernel/config'",
    );
  }
  let uios: string[] = [];
  try {
    uios = readdirSync(join(sys, 'class/uio'));
  } catch {
    // The class appears with the first device.
  }
  const closed = uios.map((uio) => join(dev, uio)).find(unreadable);
  if (uid === 0 && closed !== undefined) {
    problems.push(
      `${closed} cannot be opened: in a container, start it with the host's /dev ` +
        "('docker run --privileged -v /dev:/dev ...')",
    );
  }
  return problems;
}

function busWarnings(options: PrerequisiteOptions): string[] {
  const warnings: string[] = [];
  const path = socketPath(options.busAddress ?? systemBusAddress());
  if (options.bus && path !== undefined && !existsSync(path)) {
    warnings.push(
      `there is no system bus at ${path}: targetcli will not list the handlers; ` +
        "run 'systemctl start dbus', or serve with --no-bus",
    );
  }
  const pid = runningPid(options.proc ?? '/proc', 'tcmu-runner');
  if (pid !== undefined) {
    warnings.push(
      `tcmu-runner is running (pid ${pid}) and refuses every device that is not its own: ` +
        "run 'systemctl stop tcmu-runner', or create devices with control=nl_reply_supported=-1",
    );
  }
  return warnings;
}

/** What stands in the way of serving devices on this host; nothing where all is well. */
export function checkKernel(options: PrerequisiteOptions): Problem[] {
  const fatal = fatalProblems(options).map((message) => ({ message, fatal: true }));
  // Where nothing can be served, only that counts.
  if (fatal.length > 0) return fatal;
  return busWarnings(options).map((message) => ({ message, fatal: false }));
}
