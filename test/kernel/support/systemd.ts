import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { bash, run } from './run.js';
import { until } from './wait.js';

const units = '/etc/systemd/system';
/** What the lab has started itself, or has no use for. */
const masked = [
  'dbus.service',
  'dbus.socket',
  'systemd-journald.service',
  'systemd-journald.socket',
  'systemd-journald-dev-log.socket',
  'systemd-udevd.service',
  'systemd-logind.service',
];

/** systemd as process 1 of a PID namespace: it boots nothing but the units it is given. */
export class Systemd {
  readonly #outer: ChildProcess;
  readonly #pid: string;

  private constructor(outer: ChildProcess, pid: string) {
    this.#outer = outer;
    this.#pid = pid;
  }

  /** Boot into these units, and wait until all of them are active. */
  static async boot(wanted: readonly string[]): Promise<Systemd> {
    const list = wanted.join(' ');
    await bash(`mountpoint -q /sys/fs/cgroup || mount -t cgroup2 cgroup2 /sys/fs/cgroup
      mkdir -p ${units}
      for unit in ${masked.join(' ')}; do ln -sf /dev/null ${units}/$unit; done`);
    writeFileSync(`${units}/lab.target`, `[Unit]\nRequires=${list}\nAfter=${list}\nAllowIsolate=yes\n`);
    writeFileSync(`${units}/shut-down.target`, '[Unit]\nDefaultDependencies=no\nAllowIsolate=yes\n');
    const outer = spawn(
      'unshare',
      [
        ...['--pid', '--fork', '--mount-proc', '--mount'],
        ...['env', 'container=lab', '/lib/systemd/systemd', '--system', '--unit=lab.target'],
      ],
      { stdio: 'ignore' },
    );
    const children = `/proc/${outer.pid}/task/${outer.pid}/children`;
    const pid = await until(
      'systemd',
      () => readFileSync(children, 'utf8').trim().split(' ')[0] || undefined,
    );
    const systemd = new Systemd(outer, pid);
    await until('systemd to listen', () => existsSync('/run/systemd/private'), 30_000);
    await systemd.active('lab.target', 90_000);
    return systemd;
  }

  /** Run systemctl inside. */
  async control(...args: string[]): Promise<string> {
    const { stdout } = await run('nsenter', ['-t', this.#pid, '-p', '-m', 'systemctl', ...args]);
    return stdout.trim();
  }

  async active(unit: string, timeout?: number): Promise<void> {
    const isActive = async (): Promise<boolean> => {
      const { stdout } = await run('nsenter', ['-t', this.#pid, '-p', '-m', 'systemctl', 'is-active', unit], {
        mayFail: true,
      });
      if (stdout.trim() === 'failed') throw new Error(await this.control('show', unit));
      return stdout.trim() === 'active';
    };
    await until(`${unit} to be active`, isActive, timeout);
  }

  async property(unit: string, name: string): Promise<string> {
    return this.control('show', unit, '--value', '-p', name);
  }

  /** A service's main process, as this namespace numbers it. */
  async mainProcess(unit: string): Promise<number> {
    const inner = await this.property(unit, 'MainPID');
    const { stdout } = await bash(`grep -lE '^NSpid:.*\\s${inner}$' /proc/[0-9]*/status 2>/dev/null || true`);
    const pids = stdout.match(/\d+/g)?.map(Number) ?? [];
    // Others' inner number may be the same: those of no inner namespace.
    const pid = pids.find((candidate) => {
      const numbers = /^NSpid:\s*(.*)$/m.exec(readFileSync(`/proc/${candidate}/status`, 'utf8'))?.[1];
      return numbers?.trim().split(/\s+/).length === 2;
    });
    if (pid === undefined) throw new Error(`${unit}: no process has the inner number ${inner}`);
    return pid;
  }

  /** Begin to stop all services, in the order of a shutdown. */
  async shutDown(): Promise<void> {
    await this.control('isolate', 'shut-down.target');
  }

  /** End it with all its services, and leave no trace for other tests. */
  async end(): Promise<void> {
    const ended = once(this.#outer, 'exit');
    await run('kill', ['-KILL', this.#pid]);
    await ended;
    await bash(`rm -rf /run/systemd ${units}/lab.target ${units}/shut-down.target
      cd ${units} && rm -f ${masked.join(' ')}; umount /sys/fs/cgroup || true`);
  }
}
