import type { Host } from './host.js';

/** A running program. */
export interface Process {
  readonly pid: number;
  /** Its name as the kernel has it, 15 characters at most. */
  readonly command: string;
  readonly args: readonly string[];
}

/** The part of Host that files are read with. */
export type Files = Pick<Host, 'read' | 'list' | 'link'>;

export function processIds(host: Files): number[] {
  return host
    .list('proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
}

export function readProcess(host: Files, pid: number): Process {
  return {
    pid,
    command: host.read(`proc/${pid}/comm`)?.trim() ?? '',
    args: (host.read(`proc/${pid}/cmdline`) ?? '').split('\0').slice(0, -1),
  };
}

/** Which processes have which UIO device open: `uio0` → its daemon. */
export function tcmuOpeners(host: Files): Map<string, Process[]> {
  const openers = new Map<string, Process[]>();
  for (const pid of processIds(host)) {
    const uios = new Set<string>();
    for (const fd of host.list(`proc/${pid}/fd`)) {
      const uio = /^\/dev\/(uio\d+)$/.exec(host.link(`proc/${pid}/fd/${fd}`) ?? '')?.[1];
      if (uio !== undefined) uios.add(uio);
    }
    if (uios.size === 0) continue;
    const process = readProcess(host, pid);
    for (const uio of uios) openers.set(uio, [...(openers.get(uio) ?? []), process]);
  }
  return openers;
}

/** The fields of /proc/PID/stat from the third, the state, on (proc_pid_stat(5)); the second may hold blanks. */
export function statFields(stat: string): string[] {
  return stat
    .slice(stat.lastIndexOf(')') + 2)
    .trim()
    .split(' ');
}

/** Whether it is a daemon of this package, or a device's process. */
export function isLunette({ args }: Process): boolean {
  return args.some((arg) => /(^|\/)(lunette|cli\/main\.[jt]s|host\/process-entry\.[jt]s)$/.test(arg));
}

/** `lunette (pid 123)` */
export function titleOf(process: Process): string {
  const { pid, command } = process;
  return `${isLunette(process) ? 'lunette' : command || 'a process'} (pid ${pid})`;
}
