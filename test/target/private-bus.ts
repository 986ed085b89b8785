import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

/** Everyone may do everything. */
export const OPEN_POLICY =
  '<policy context="default"><allow send_destination="*"/><allow receive_sender="*"/><allow own="*"/></policy>';

/** Whether this machine has a message bus to test against. */
export function hasDbus(): boolean {
  return spawnSync('dbus-daemon', ['--version']).status === 0;
}

/** A dbus-daemon of the test's own, always at the same address. */
export class PrivateBus {
  // Readable by all: one test connects as another user.
  readonly #directory = mkdtempSync(join(tmpdir(), 'lunette-bus-'));
  readonly address = `unix:path=${join(this.#directory, 'socket')}`;
  readonly #config = join(this.#directory, 'bus.conf');
  #daemon: ChildProcess | undefined;

  /** @param policy elements of a busconfig */
  constructor(policy = OPEN_POLICY) {
    spawnSync('chmod', ['755', this.#directory]);
    writeFileSync(
      this.#config,
      '<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN" ' +
        '"http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">' +
        `<busconfig><listen>${this.address}</listen><auth>EXTERNAL</auth>` +
        `<policy context="default"><allow user="*"/></policy>${policy}</busconfig>`,
    );
  }

  async start(): Promise<void> {
    const daemon = spawn('dbus-daemon', ['--nofork', '--print-address', `--config-file=${this.#config}`], {
      // It complains of limits where it is not root, and of each refusal that a test wants.
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    this.#daemon = daemon;
    const lines = createInterface({ input: daemon.stdout });
    await Promise.race([
      once(lines, 'line'),
      once(daemon, 'exit').then(() => Promise.reject(new Error('dbus-daemon ended'))),
    ]);
  }

  async stop(): Promise<void> {
    const daemon = this.#daemon;
    this.#daemon = undefined;
    if (!daemon) return;
    const exited = once(daemon, 'exit');
    daemon.kill('SIGKILL');
    await exited;
    rmSync(join(this.#directory, 'socket'), { force: true });
  }

  async remove(): Promise<void> {
    await this.stop();
    rmSync(this.#directory, { recursive: true, force: true });
  }

  /**
   * Call a method with dbus-send, another implementation than the product's.
   * @param uid the user to be
   * @returns what it prints, errors included
   */
  async send(args: string[], uid?: number): Promise<string> {
    const child = spawn(
      'dbus-send',
      [`--bus=${this.address}`, '--print-reply', '--reply-timeout=5000', ...args],
      {
        stdio: ['ignore', 'pipe', 'pipe'],
        ...(uid !== undefined && { uid, gid: uid }),
      },
    );
    let output = '';
    child.stdout.on('data', (data: Buffer) => (output += data.toString()));
    child.stderr.on('data', (data: Buffer) => (output += data.toString()));
    await once(child, 'close');
    return output;
  }
}
