import type { Socket } from 'node:net';
import type { Dispatcher } from './dispatch.js';
import { hangUp } from './hang-up.js';
import { notification, RpcError } from './json-rpc.js';
import { LineSplitter, LineTooLong } from './line-splitter.js';
import type { Caller } from './methods.js';
import { controlError, type TraceNotification } from './schema.js';
import type { ControlDevice } from './target.js';

/** The longest request in bytes. */
export const MAX_REQUEST = 64 * 1024;
/** Requests one caller may have running; what it sends beyond waits in its socket. */
const MAX_RUNNING = 32;
/** Bytes a caller may leave unread before it is not listened to, and traces leave commands out. */
const MAX_UNREAD = 1024 * 1024;
const MAX_SUBSCRIPTIONS = 64;

/** One caller: lines in, answers and notifications out. */
export class Connection implements Caller {
  readonly #socket: Socket;
  readonly #dispatcher: Dispatcher;
  readonly #splitter = new LineSplitter(MAX_REQUEST);
  readonly #subscriptions = new Map<number, () => void>();
  #lastSubscription = 0;
  #running = 0;
  /** The caller has said all; it may still read the answers. */
  #inputEnded = false;
  #hungUp = false;
  /** Requests that came in one piece with others and have to wait. */
  readonly #waiting: string[] = [];

  constructor(socket: Socket, dispatcher: Dispatcher) {
    this.#socket = socket;
    this.#dispatcher = dispatcher;
    socket.on('data', (chunk: Buffer) => this.#receive(chunk));
    socket.on('drain', () => this.#next());
    socket.on('end', () => {
      this.#inputEnded = true;
      // Perhaps it is gone altogether, which an idle device's trace would not find out.
      this.#unsubscribeAll();
      this.#next();
    });
    // Whatever went wrong, 'close' follows.
    socket.on('error', () => undefined);
    socket.on('close', () => this.#forget());
  }

  /** Hang up. */
  close(): void {
    this.#socket.destroy();
  }

  #forget(): void {
    this.#waiting.length = 0;
    this.#unsubscribeAll();
  }

  #unsubscribeAll(): void {
    for (const stop of this.#subscriptions.values()) stop();
    this.#subscriptions.clear();
  }

  #receive(chunk: Buffer): void {
    try {
      for (const line of this.#splitter.push(chunk)) this.#waiting.push(line);
    } catch (error) {
      if (!(error instanceof LineTooLong)) throw error;
      this.#hungUp = true;
      this.#forget();
      hangUp(this.#socket, error.message);
      return;
    }
    this.#next();
  }

  /** Start what may start, and read on where nothing waits. */
  #next(): void {
    if (this.#hungUp) return;
    const isFull = (): boolean =>
      this.#running >= MAX_RUNNING || this.#socket.writableLength > MAX_UNREAD || !this.#socket.writable;
    while (!isFull()) {
      const message = this.#waiting.shift();
      if (message === undefined) break;
      void this.#run(message);
    }
    if (isFull()) this.#socket.pause();
    else this.#socket.resume();
    if (this.#inputEnded && this.#running === 0) this.#socket.end();
  }

  async #run(message: string): Promise<void> {
    this.#running++;
    const answer = await this.#dispatcher.answer(message, this);
    this.#running--;
    if (answer !== undefined) this.#send(answer);
    this.#next();
  }

  #send(line: string): void {
    if (this.#socket.writable) this.#socket.write(`${line}\n`);
  }

  subscribe(device: ControlDevice): number {
    if (this.#subscriptions.size >= MAX_SUBSCRIPTIONS) {
      throw new RpcError(controlError.wrongState, `at most ${MAX_SUBSCRIPTIONS} subscriptions at a time`);
    }
    const subscription = ++this.#lastSubscription;
    let unsent = 0;
    const stop = device.trace(({ commands, dropped, ended }) => {
      if (ended) this.#subscriptions.delete(subscription);
      if (this.#socket.writableLength > MAX_UNREAD && !ended) {
        unsent += commands.length + dropped;
        return;
      }
      const params: TraceNotification = {
        subscription,
        commands: commands.map((command) => ({ ...command, device: device.name })),
        dropped: dropped + unsent,
        ...(ended && { ended }),
      };
      unsent = 0;
      this.#send(notification('trace', params));
    });
    this.#subscriptions.set(subscription, stop);
    return subscription;
  }

  unsubscribe(subscription: number): boolean {
    this.#subscriptions.get(subscription)?.();
    return this.#subscriptions.delete(subscription);
  }
}
