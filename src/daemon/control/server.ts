import { createServer, type Server, type Socket } from 'node:net';
import type { HandlerLog } from '../../handlers/contract.js';
import { Connection } from './connection.js';
import { Dispatcher } from './dispatch.js';
import { hangUp } from './hang-up.js';
import { peerOf } from './peer.js';
import { SocketFile } from './socket-file.js';
import type { ControlTarget } from './target.js';

export interface ControlServerOptions {
  /** Of the Unix socket. Its directory is made where it is missing. */
  readonly path: string;
  readonly target: ControlTarget;
  readonly log: HandlerLog;
  /** Users that may control it beside root. Default: the one this process runs as. */
  readonly users?: readonly number[];
}

/** Callers at a time; who comes beyond is hung up on. */
const MAX_CONNECTIONS = 64;

/** The control socket: JSON-RPC 2.0, one message a line, for root and the daemon's own user. */
export class ControlServer {
  readonly path: string;
  readonly #server: Server;
  readonly #options: ControlServerOptions;
  readonly #dispatcher: Dispatcher;
  readonly #connections = new Set<Connection>();
  #file: SocketFile | undefined;

  private constructor(options: ControlServerOptions) {
    this.path = options.path;
    this.#options = options;
    this.#dispatcher = new Dispatcher(options.target, (method, error) => {
      options.log.error(`control: ${method} failed: ${(error as Error)?.stack ?? String(error)}`);
    });
    this.#server = createServer({ allowHalfOpen: true }, (socket) => this.#accept(socket));
    this.#server.maxConnections = MAX_CONNECTIONS;
  }

  /** @throws Error that says who listens there already, or why nobody can */
  static async start(options: ControlServerOptions): Promise<ControlServer> {
    const control = new ControlServer(options);
    control.#file = await SocketFile.listen(control.#server, options.path);
    control.#server.on('error', (error) => options.log.error(`control socket: ${error.message}`));
    return control;
  }

  #accept(socket: Socket): void {
    const refusal = this.#refusal(socket);
    if (refusal !== undefined) {
      this.#options.log.warn(`control: ${refusal}`);
      socket.on('error', () => undefined);
      hangUp(socket, refusal);
      return;
    }
    const connection = new Connection(socket, this.#dispatcher);
    this.#connections.add(connection);
    socket.on('close', () => this.#connections.delete(connection));
  }

  /** Why the one at the other end is not served, whatever the socket's mode has become. */
  #refusal(socket: Socket): string | undefined {
    const peer = peerOf(socket);
    if (!peer) return 'the caller is gone';
    const users = this.#options.users ?? [process.geteuid?.() ?? 0];
    if (peer.uid === 0 || users.includes(peer.uid)) return undefined;
    return `user ${peer.uid} (process ${peer.pid}) may not control this daemon`;
  }

  /** Hang up on everybody and take the socket away. Idempotent; never rejects. */
  async close(): Promise<void> {
    this.#file?.remove();
    this.#file = undefined;
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const connection of this.#connections) connection.close();
    await closed;
  }
}
