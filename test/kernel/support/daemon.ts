import { spawn, type ChildProcess } from 'node:child_process';
import { appendFileSync, mkdirSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { deferred } from './run.js';
import { until } from './wait.js';

export interface LogLine {
  readonly level: string;
  readonly msg: string;
  readonly [key: string]: unknown;
}

const main = 'dist/cli/main.js';
/** Kept for the one who looks into a failure. */
const logs = '/lab/logs';
let started = 0;

/** `lunette serve` as a process of its own, with its log. */
export class Daemon {
  readonly log: LogLine[] = [];
  /** What it wrote that is no log line. */
  readonly text: string[] = [];
  readonly exited: Promise<number>;
  readonly #process: ChildProcess;
  readonly #file: string;
  #status: number | undefined;

  private constructor(args: readonly string[], command: readonly string[] = ['serve']) {
    const child = spawn(process.execPath, [main, ...command, '--log-level', 'debug', ...args], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    this.#process = child;
    started += 1;
    mkdirSync(logs, { recursive: true });
    this.#file = `${logs}/daemon-${started}.log`;
    appendFileSync(this.#file, `lunette ${command.join(' ')} ${args.join(' ')}\n`);
    const { promise, resolve, reject } = deferred<number>();
    this.exited = promise;
    let rest = '';
    child.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
      const lines = (rest + chunk).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) this.#take(line);
    });
    child.on('error', reject);
    child.on('close', (code, signal) => {
      if (rest !== '') this.#take(rest);
      this.#status = code ?? (signal === 'SIGKILL' ? 137 : 128);
      resolve(this.#status);
    });
  }

  #take(line: string): void {
    appendFileSync(this.#file, `${line}\n`);
    try {
      this.log.push(JSON.parse(line) as LogLine);
    } catch {
      this.text.push(line);
    }
  }

  /** Start it and wait until it is ready. The guest takes two seconds for each thread, and more beside other guests. */
  static async start(args: readonly string[] = [], command?: readonly string[]): Promise<Daemon> {
    const daemon = new Daemon(args, command);
    try {
      await daemon.logged('ready', /^ready$/, 150_000);
    } catch (error) {
      daemon.signal('SIGKILL');
      throw error;
    }
    return daemon;
  }

  /** Start one that is expected to give up by itself. */
  static async refused(args: readonly string[] = []): Promise<{ status: number; output: string }> {
    const daemon = new Daemon(args);
    try {
      await until('the daemon to give up', () => daemon.#status !== undefined, 60_000);
    } catch (error) {
      daemon.#process.kill('SIGKILL');
      throw error;
    }
    return { status: daemon.#status ?? -1, output: daemon.everything() };
  }

  get pid(): number {
    const { pid } = this.#process;
    if (pid === undefined) throw new Error('the daemon was not started');
    return pid;
  }

  get isRunning(): boolean {
    return this.#status === undefined;
  }

  everything(): string {
    return [...this.text, ...this.log.map((line) => JSON.stringify(line))].join('\n');
  }

  /** Wait for a log line; those that came before count, too. */
  logged(what: string, message: RegExp, timeout = 90_000): Promise<LogLine> {
    return until(
      `the daemon's log line '${what}'`,
      () => {
        const line = this.log.find(({ msg }) => message.test(msg));
        if (!line && !this.isRunning) throw new Error(`the daemon ended:\n${this.everything()}`);
        return line;
      },
      timeout,
    );
  }

  /** Log lines of level error or fatal, and anything that is no log line. */
  complaints(): string[] {
    const errors = this.log.filter(({ level }) => level === 'error' || level === 'fatal');
    return [...this.text, ...errors.map((line) => JSON.stringify(line))];
  }

  /** Targets of its open descriptors. */
  descriptors(): string[] {
    const folder = `/proc/${this.pid}/fd`;
    return readdirSync(folder).flatMap((fd) => {
      try {
        return [readlinkSync(`${folder}/${fd}`)];
      } catch {
        return [];
      }
    });
  }

  /** Its mappings of UIO devices. */
  deviceMappings(): string[] {
    return readFileSync(`/proc/${this.pid}/maps`, 'utf8')
      .split('\n')
      .filter((line) => line.includes('/dev/uio'));
  }

  /** Resident memory in bytes, shared mappings included. */
  residentMemory(): number {
    return 1024 * Number(/^VmRSS:\s*(\d+) kB/m.exec(readFileSync(`/proc/${this.pid}/status`, 'utf8'))?.[1]);
  }

  signal(name: NodeJS.Signals): void {
    this.#process.kill(name);
  }

  /** SIGTERM, and wait until it has left. @returns its exit status */
  async stop(timeout = 60_000): Promise<number> {
    if (this.isRunning) this.signal('SIGTERM');
    try {
      await until('the daemon to leave', () => !this.isRunning, timeout);
    } catch (error) {
      this.signal('SIGKILL');
      throw error;
    }
    return this.exited;
  }
}
