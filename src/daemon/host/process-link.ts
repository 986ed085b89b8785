import { fork, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { HostLink, LinkListener } from './host-link.js';
import type { FromHost, HostStart, ToHost } from './protocol.js';

/** TypeScript where Lunette itself runs from its sources. */
const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';

/** A process of its own that serves a device. */
export class ProcessLink implements HostLink {
  readonly #child: ChildProcess;

  constructor(start: HostStart, listener: LinkListener) {
    // What belongs to the daemon alone: readiness, pings and sockets of the service manager.
    const env = { ...process.env };
    for (const name of ['NOTIFY_SOCKET', 'WATCHDOG_PID', 'WATCHDOG_USEC', 'LISTEN_FDS', 'LISTEN_PID']) {
      delete env[name];
    }
    // Only to be seen: `lunette doctor` looks for it in the arguments of whoever has a device open.
    const { commandTimeout, onTimeout } = start.settings;
    const args = [
      ...(commandTimeout === undefined ? [] : [`--command-timeout=${commandTimeout / 1000}`]),
      ...(onTimeout === undefined ? [] : [`--on-timeout=${onTimeout}`]),
    ];
    const child = fork(fileURLToPath(new URL(`process-entry.${extension}`, import.meta.url)), args, {
      env,
      serialization: 'advanced',
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    this.#child = child;
    let ended = false;
    const end = (reason: string): void => {
      if (ended) return;
      ended = true;
      listener.onExit(reason);
    };
    child.on('message', (message) => {
      if (!ended) listener.onMessage(message as FromHost);
    });
    child.on('error', (error) => {
      // Also told of a message that could not be sent, which the exit will explain.
      if (child.pid === undefined) end(error.message);
    });
    child.on('exit', (status, signal) =>
      end(signal === null ? `it ended with status ${status}` : `it was killed by ${signal}`),
    );
    child.send(start, () => undefined);
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  post(message: ToHost): void {
    if (this.#child.connected) this.#child.send(message, () => undefined);
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }
}
