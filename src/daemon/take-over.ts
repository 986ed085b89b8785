import { spawn } from 'node:child_process';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { peerOf } from './control/peer.js';
import { SocketFile } from './control/socket-file.js';
import type { Logger } from './log.js';

/*
 * How one daemon goes on where another one is, step by step over a Unix socket, a line of JSON each way:
 *
 *   withdraw   the old one gives up its names (bus, control socket) and follows the kernel no more; it serves on
 *   handOver   it answers what it took off one device's ring and closes the device, whose commands then wait in the
 *              kernel; or, without a device, it closes the embedded iSCSI target. Again and again
 *   done       it closes what is left and exits
 *
 * A new one that is gone before `done` has the old one go on as before.
 */

/** The daemon that leaves. */
export interface TakeOverHost {
  /** Why it must not leave, if there is a reason. */
  refusal(): string | undefined;
  withdraw(): Promise<void>;
  /**
   * @param device HBA/NAME; without it the embedded iSCSI target is meant
   * @returns when its commands began to wait, in milliseconds since the epoch; undefined where it is not served
   */
  handOver(device?: string): Promise<number | undefined>;
  /** The new one failed. */
  goOn(): Promise<void>;
  /** The new one serves. @param successor its process id */
  left(successor: number): void;
}

type Step = 'withdraw' | 'handOver' | 'done';

interface Request {
  readonly step?: Step;
  readonly device?: string;
}

interface Answer {
  readonly since?: number;
  readonly error?: string;
}

/** A line is a few names; more is not ours. */
const MAX_LINE = 1024 * 1024;

/** Milliseconds for one step: draining and closing slow disks takes its time. */
const STEP_TIMEOUT = 60_000;

const errorMessage = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** Listens for a daemon that wants to take over. */
export class TakeOverServer {
  readonly #host: TakeOverHost;
  readonly #log: Pick<Logger, 'info' | 'warn' | 'error'>;
  readonly #server: Server;
  #file: SocketFile | undefined;
  #successor: Socket | undefined;
  /** The step that was done last. */
  #done: Step | undefined;

  private constructor(host: TakeOverHost, log: Pick<Logger, 'info' | 'warn' | 'error'>) {
    this.#host = host;
    this.#log = log;
    this.#server = createServer((socket) => this.#accept(socket));
  }

  /** @throws Error where another process listens at `path` or nobody can */
  static async start(
    path: string,
    host: TakeOverHost,
    log: Pick<Logger, 'info' | 'warn' | 'error'>,
  ): Promise<TakeOverServer> {
    const server = new TakeOverServer(host, log);
    server.#file = await SocketFile.listen(server.#server, path);
    server.#server.on('error', (error) => log.error(`take-over socket: ${error.message}`));
    return server;
  }

  #accept(socket: Socket): void {
    socket.on('error', () => undefined);
    const peer = peerOf(socket);
    const allowed = peer !== undefined && (peer.uid === 0 || peer.uid === process.geteuid?.());
    if (!allowed || this.#successor) {
      socket.end(`${JSON.stringify({ error: allowed ? 'a take-over is under way' : 'not allowed' })}\n`);
      return;
    }
    this.#successor = socket;
    let steps = Promise.resolve();
    let received = 0;
    socket.on('data', (chunk) => {
      received += chunk.length;
      if (received > MAX_LINE) socket.destroy();
    });
    createInterface({ input: socket, crlfDelay: Infinity })
      .on('line', (line) => void (steps = steps.then(() => this.#step(socket, line, peer.pid))))
      .on('error', () => undefined);
    socket.on('close', () => void steps.then(() => this.#hungUp()));
  }

  async #step(socket: Socket, line: string, pid: number): Promise<void> {
    // One that was refused, or has said all, is not listened to any more, however much it has sent.
    if (socket.writableEnded || socket.destroyed) return;
    let answer: Answer = {};
    try {
      const { step, device } = JSON.parse(line) as Request;
      const first = this.#done === undefined;
      if (this.#done === 'done' || first !== (step === 'withdraw')) {
        throw new Error(`'${String(step)}' is not due`);
      }
      if (step === 'withdraw') await this.#withdraw(pid);
      else if (step === 'handOver') answer = { since: await this.#handOver(device) };
      else if (step !== 'done') throw new Error(`'${String(step)}' is no step`);
      else {
        this.#done = 'done';
        socket.end();
        this.#host.left(pid);
        return;
      }
    } catch (error) {
      socket.end(`${JSON.stringify({ error: errorMessage(error) } satisfies Answer)}\n`);
      return;
    }
    socket.write(`${JSON.stringify(answer)}\n`);
  }

  async #withdraw(pid: number): Promise<void> {
    const refusal = this.#host.refusal();
    if (refusal !== undefined) throw new Error(refusal);
    this.#log.info(`process ${pid} takes over`);
    this.#done = 'withdraw';
    this.#stopListening();
    await this.#host.withdraw();
  }

  #handOver(device: string | undefined): Promise<number | undefined> {
    if (device !== undefined && typeof device !== 'string') throw new Error('a device has a name');
    this.#done = 'handOver';
    return this.#host.handOver(device);
  }

  async #hungUp(): Promise<void> {
    const done = this.#done;
    this.#successor = undefined;
    this.#done = undefined;
    if (done === undefined || done === 'done') return;
    this.#log.error('the process that was to take over is gone: going on as before');
    try {
      await this.#host.goOn();
    } catch (error) {
      this.#log.error(`cannot go on: ${errorMessage(error)}`);
    }
  }

  #stopListening(): void {
    this.#file?.remove();
    this.#file = undefined;
    if (this.#server.listening) this.#server.close();
  }

  /** Listen no more. A take-over that is under way is not waited for. */
  close(): void {
    this.#stopListening();
    this.#successor?.destroy();
  }
}

/** The daemon that is taken over from, as the new one sees it. */
export class Predecessor {
  readonly #socket: Socket;
  readonly #lines: AsyncIterator<string>;

  private constructor(socket: Socket) {
    this.#socket = socket;
    this.#lines = createInterface({ input: socket, crlfDelay: Infinity })[Symbol.asyncIterator]();
  }

  /** @returns undefined where no daemon listens */
  static connect(path: string): Promise<Predecessor | undefined> {
    return new Promise((resolve, reject) => {
      const socket = connect(path, () => {
        socket.off('error', failed).on('error', () => undefined);
        resolve(new Predecessor(socket));
      });
      const failed = (error: NodeJS.ErrnoException): void => {
        if (error.code === 'ENOENT' || error.code === 'ECONNREFUSED') resolve(undefined);
        else reject(error);
      };
      socket.on('error', failed);
    });
  }

  async #ask(request: Request): Promise<Answer> {
    this.#socket.write(`${JSON.stringify(request)}\n`);
    const timer = setTimeout(() => this.#socket.destroy(), STEP_TIMEOUT);
    // A connection that was reset says no more than one that was closed.
    const line = await this.#lines.next().catch(() => undefined);
    clearTimeout(timer);
    if (!line || line.done) throw new Error('the daemon that was to be taken over hung up');
    const answer = JSON.parse(line.value) as Answer;
    if (answer.error !== undefined) throw new Error(`the running daemon does not leave: ${answer.error}`);
    return answer;
  }

  /** @throws Error that says why it does not leave */
  async withdraw(): Promise<void> {
    await this.#ask({ step: 'withdraw' });
  }

  /**
   * One question at a time.
   * @param device HBA/NAME; without it the embedded iSCSI target is meant
   * @returns when its commands began to wait, in milliseconds since the epoch; undefined where it was not served
   */
  async handOver(device?: string): Promise<number | undefined> {
    return (await this.#ask({ step: 'handOver', device })).since;
  }

  /** The new one serves: the old one may exit. */
  done(): void {
    this.#socket.end(`${JSON.stringify({ step: 'done' })}\n`);
  }

  /** The new one failed: the old one goes on. */
  close(): void {
    this.#socket.destroy();
  }
}

/**
 * Start this program anew, with the same arguments, so that it takes over from this process: what SIGHUP asks for.
 * @param onFailure called where it ended without
 */
export function spawnSuccessor(onFailure: (reason: string) => void): void {
  const args = process.argv.slice(1).filter((arg) => arg !== '--take-over');
  // It is the service's main process from then on, and so the one whose pings count.
  const environment = { ...process.env };
  delete environment.WATCHDOG_PID;
  const child = spawn(process.execPath, [...process.execArgv, ...args, '--take-over'], {
    detached: true,
    stdio: 'inherit',
    env: environment,
  });
  child.on('error', (error) => onFailure(error.message));
  child.on('exit', (code, signal) => onFailure(`it ended with ${signal ?? `status ${code}`}`));
  child.unref();
}
