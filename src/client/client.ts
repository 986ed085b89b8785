import { connect as connectSocket, type Socket } from 'node:net';
import type { z } from 'zod';
import { DEFAULT_CONTROL_PATH } from '../daemon/control/default-path.js';
import { RpcError, responseSchema, type RequestId } from '../daemon/control/json-rpc.js';
import { LineSplitter } from '../daemon/control/line-splitter.js';
import {
  methods,
  notifications,
  type MethodName,
  type Params,
  type Result,
  type TraceNotification,
} from '../daemon/control/schema.js';
import { ConnectionLost, NoDaemon } from './errors.js';
import { Trace } from './trace.js';

/** The longest answer in bytes: some 60 000 devices. */
const MAX_ANSWER = 64 * 1024 * 1024;

interface Pending {
  resolve(result: unknown): void;
  reject(error: Error): void;
}

/**
 * A connection to a daemon's control socket.
 *
 * @example
 * const client = await connect();
 * for (const { name, size } of await client.list()) console.log(name, size);
 * client.close();
 */
export class ControlClient {
  /** Of the socket. */
  readonly path: string;
  readonly #socket: Socket;
  readonly #splitter = new LineSplitter(MAX_ANSWER);
  readonly #pending = new Map<RequestId, Pending>();
  readonly #traces = new Map<number, Trace>();
  #lastId = 0;
  #lost: Error | undefined;

  /** Of a connected socket; see `connect`. */
  private constructor(path: string, socket: Socket) {
    this.path = path;
    this.#socket = socket;
    socket.on('data', (chunk: Buffer) => this.#receive(chunk));
    socket.on('error', (error) => this.#lose(new ConnectionLost(error.message, { cause: error })));
    socket.on('close', () => this.#lose(new ConnectionLost('the daemon hung up')));
  }

  /** @throws NoDaemon where nobody listens, or where this user may not connect */
  static async connect(path = DEFAULT_CONTROL_PATH): Promise<ControlClient> {
    return new Promise((resolve, reject) => {
      const refused = (error: NodeJS.ErrnoException): void => reject(new NoDaemon(path, error));
      const socket = connectSocket(path, () => {
        socket.off('error', refused);
        resolve(new ControlClient(path, socket));
      });
      socket.once('error', refused);
    });
  }

  #receive(chunk: Buffer): void {
    try {
      for (const line of this.#splitter.push(chunk)) this.#take(JSON.parse(line));
    } catch (cause) {
      const error = new ConnectionLost(`what ${this.path} says is no answer of a daemon`, { cause });
      this.#lose(error);
      this.#socket.destroy();
    }
  }

  /** @throws ZodError where it is nothing a daemon says */
  #take(message: unknown): void {
    if (typeof message === 'object' && message !== null && 'method' in message) {
      const { method, params } = message as { method: unknown; params?: unknown };
      // A newer daemon may have more of them.
      if (method === 'trace') this.#takeTrace(notifications.trace.parse(params));
      return;
    }
    const response = responseSchema.parse(message);
    const pending = this.#pending.get(response.id);
    this.#pending.delete(response.id);
    if ('error' in response) {
      const error = new RpcError(response.error.code, response.error.message);
      // Without an id it is about the connection.
      if (pending) pending.reject(error);
      else this.#lose(error);
    } else pending?.resolve(response.result);
  }

  #takeTrace(batch: TraceNotification): void {
    this.#traces.get(batch.subscription)?.push(batch);
    if (batch.ended) this.#traces.delete(batch.subscription);
  }

  #lose(error: Error): void {
    if (this.#lost) return;
    this.#lost = error;
    for (const pending of this.#pending.values()) pending.reject(error);
    for (const trace of this.#traces.values()) trace.fail(error);
    this.#pending.clear();
    this.#traces.clear();
  }

  /**
   * Call a method by its name.
   * @throws RpcError what the daemon answered; ConnectionLost where it does not any more
   */
  call<Name extends MethodName>(method: Name, params: Params<Name>): Promise<Result<Name>> {
    return this.#exchange(method, params, (result) => result);
  }

  /** @param take given the result in the turn it comes, before anything that follows it */
  async #exchange<Name extends MethodName, Value>(
    method: Name,
    params: Params<Name>,
    take: (result: Result<Name>) => Value,
  ): Promise<Value> {
    if (this.#lost) throw this.#lost;
    const schema: z.ZodType = methods[method].result;
    const id = ++this.#lastId;
    return new Promise<Value>((resolve, reject) => {
      const settle = (answer: unknown): void => {
        const result = schema.safeParse(answer);
        if (result.success) resolve(take(result.data as Result<Name>));
        else reject(new ConnectionLost(`${method}: not what a daemon answers`, { cause: result.error }));
      };
      this.#pending.set(id, { resolve: settle, reject });
      this.#socket.write(`${JSON.stringify({ jsonrpc: '2.0', id, method, params })}\n`);
    });
  }

  /** Who answers. */
  version(): Promise<Result<'version'>> {
    return this.call('version', {});
  }

  /** The devices that are served. */
  async list(): Promise<Result<'list'>['devices']> {
    return (await this.call('list', {})).devices;
  }

  /** @param device HBA/NAME, or NAME where one device has it, as in the methods below */
  show(device: string): Promise<Result<'show'>> {
    return this.call('show', { device });
  }

  /**
   * Take no more commands off the ring, and wait until those taken are answered. More queue up in the kernel, which
   * gives up on them after its own cmd_time_out.
   * @param timeout seconds to wait; the device stays paused where they are over, and the call fails
   */
  pause(device: string, timeout?: number): Promise<Result<'pause'>> {
    return this.call('pause', { device, timeout });
  }

  /** Go on after pause. */
  resume(device: string): Promise<Result<'resume'>> {
    return this.call('resume', { device });
  }

  /** Load the handler's code anew, under I/O. */
  reload(device: string): Promise<Result<'reload'>> {
    return this.call('reload', { device });
  }

  /** Counters of one device, or of all. */
  stats(device?: string): Promise<Result<'stats'>> {
    return this.call('stats', { device });
  }

  async logLevel(): Promise<Result<'logLevel.get'>['level']> {
    return (await this.call('logLevel.get', {})).level;
  }

  async setLogLevel(level: Params<'logLevel.set'>['level']): Promise<void> {
    await this.call('logLevel.set', { level });
  }

  /** The interface as an OpenRPC document. */
  discover(): Promise<Result<'rpc.discover'>> {
    return this.call('rpc.discover', {});
  }

  /**
   * The commands a device answers from now on. Leaving the loop ends it; so does the device's end.
   *
   * @example
   * const trace = await client.trace('disk1');
   * for await (const { name, microseconds } of trace) console.log(name, microseconds);
   */
  trace(device: string): Promise<Trace> {
    return this.#exchange('trace.start', { device }, ({ subscription }) => {
      const trace = new Trace(async () => {
        if (!this.#traces.delete(subscription) || this.#lost) return;
        await this.call('trace.stop', { subscription });
      });
      this.#traces.set(subscription, trace);
      return trace;
    });
  }

  /** Hang up. Calls that wait for an answer fail. */
  close(): void {
    this.#lose(new ConnectionLost('the connection was closed'));
    this.#socket.destroy();
  }
}

/**
 * Connect to a daemon.
 * @param path of its control socket
 * @throws NoDaemon where nobody listens, or where this user may not connect
 */
export function connect(path?: string): Promise<ControlClient> {
  return ControlClient.connect(path);
}
