import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { bash } from './run.js';
import { until } from './wait.js';

/** tcmu-runner as Debian has it, with its own bus policy. It owns the bus name while it runs. */
export class TcmuRunner {
  readonly #process: ChildProcess;

  private constructor(child: ChildProcess) {
    this.#process = child;
  }

  /** @param args of its command line */
  static async start(args: readonly string[] = []): Promise<TcmuRunner> {
    // The lab has put its files aside, so that no other test has them.
    await bash(`cp /tmp/tcmu-runner/tcmu-runner.conf /etc/dbus-1/system.d/
      busctl call org.freedesktop.DBus / org.freedesktop.DBus ReloadConfig`);
    const runner = new TcmuRunner(spawn('tcmu-runner', args, { stdio: 'ignore' }));
    await until('tcmu-runner to own its bus name', async () => {
      if (runner.#process.exitCode !== null)
        throw new Error('tcmu-runner ended: see /var/log/tcmu-runner.log');
      const { stdout } = await bash(
        'busctl call org.freedesktop.DBus / org.freedesktop.DBus NameHasOwner s org.kernel.TCMUService1',
      );
      return stdout.trim() === 'b true';
    });
    return runner;
  }

  async stop(): Promise<void> {
    const exited = once(this.#process, 'exit');
    this.#process.kill('SIGTERM');
    await exited;
  }
}
