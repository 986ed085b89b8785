import { spawn } from 'node:child_process';

export interface RunOptions {
  /** Milliseconds until the program is killed and the run fails. Default 150 000: no step may hang the suite, and a guest may be slow. */
  readonly timeout?: number;
  /** Written to its standard input. */
  readonly input?: string;
  /** Return a non-zero exit status instead of throwing. */
  readonly mayFail?: boolean;
}

export interface RunResult {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
  /** Both, in the order of arrival. */
  readonly output: string;
}

/**
 * Run a program to its end.
 * @throws Error with its output, where it fails (unless it may), takes too long or cannot be started
 */
export function run(program: string, args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  const what = `${program} ${args.join(' ')}`;
  const { promise, resolve, reject } = deferred<RunResult>();
  // A process group of its own, so that what it started ends with it.
  const child = spawn(program, args, { detached: true, stdio: ['pipe', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => ((stdout += text), (output += text)));
  child.stderr.setEncoding('utf8').on('data', (text: string) => ((stderr += text), (output += text)));
  child.stdin.on('error', () => undefined);
  child.stdin.end(options.input ?? '');
  const timeout = options.timeout ?? 150_000;
  const timer = setTimeout(() => {
    reject(new Error(`${what}: not done after ${timeout / 1000} s\n${output}`));
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
  }, timeout);
  child.on('error', reject);
  child.on('close', (code, signal) => {
    clearTimeout(timer);
    const status = code ?? 128;
    if (status === 0 || (options.mayFail && signal === null)) resolve({ status, stdout, stderr, output });
    else reject(new Error(`${what}: ${signal ?? `exit ${status}`}\n${output}`));
  });
  return promise;
}

/** A bash script, `set -eu -o pipefail`. */
export function bash(script: string, options?: RunOptions): Promise<RunResult> {
  return run('bash', ['-eu', '-o', 'pipefail', '-c', script], options);
}

export interface Deferred<T> {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
  readonly reject: (error: Error) => void;
}

export function deferred<T>(): Deferred<T> {
  let resolve!: (value: T) => void;
  let reject!: (error: Error) => void;
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}
