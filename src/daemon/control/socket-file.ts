import { chmodSync, linkSync, lstatSync, mkdirSync, rmSync, type Stats } from 'node:fs';
import { connect, type Server, type Socket } from 'node:net';
import { dirname } from 'node:path';
import { peerOf } from './peer.js';

/** The longest path of a Unix socket in bytes (unix(7)). */
const MAX_PATH = 107;
/** Stale sockets replaced before it is given up: more come only from daemons that all start at once. */
const ATTEMPTS = 4;

/** Sockets this process has made. */
let listeners = 0;

function statOf(path: string): Stats | undefined {
  return lstatSync(path, { throwIfNoEntry: false });
}

const isSame = (a: Stats | undefined, b: Stats): boolean => a?.ino === b.ino && a.dev === b.dev;

/** @returns the process that listens at `path`; undefined where none does. Rejects where that cannot be told. */
async function listenerAt(path: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const socket: Socket = connect(path, () => {
      const pid = peerOf(socket)?.pid ?? 0;
      socket.destroy();
      resolve(pid);
    });
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNREFUSED' || error.code === 'ENOENT') resolve(undefined);
      else reject(error);
    });
  });
}

/** bind(2) at a name of our own, with mode 0600 before anybody can connect. */
async function listenAt(server: Server, path: string): Promise<void> {
  rmSync(path, { force: true });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, () => {
      server.off('error', reject);
      resolve();
    });
  });
  chmodSync(path, 0o600);
}

/** A listening Unix socket's name in the file system. */
export class SocketFile {
  readonly path: string;
  readonly #stats: Stats;

  private constructor(path: string, stats: Stats) {
    this.path = path;
    this.#stats = stats;
  }

  /**
   * Listen at `path`, mode 0600. The socket of a process that is gone is replaced.
   * @throws Error where another process listens there, or the path holds something else
   */
  static async listen(server: Server, path: string): Promise<SocketFile> {
    // The name is given when everything is ready, and by link(2), which never replaces: of two daemons that start
    // at once one has it. (bind(2) at the name itself would make it before its mode can be set.)
    const temporary = `${path}.${process.pid}-${++listeners}`;
    if (Buffer.byteLength(temporary) > MAX_PATH) {
      throw new Error(`the path of the control socket is too long for one: ${path}`);
    }
    mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
    await checkFree(path);
    await listenAt(server, temporary);
    try {
      const stats = lstatSync(temporary);
      await giveName(temporary, path);
      return new SocketFile(path, stats);
    } catch (error) {
      server.close();
      throw error;
    } finally {
      rmSync(temporary, { force: true });
    }
  }

  /** Take the name away, where it is still ours. */
  remove(): void {
    if (isSame(statOf(this.path), this.#stats)) rmSync(this.path, { force: true });
  }
}

/** Remove a socket that nobody listens at. @throws Error where somebody does, or where it is no socket */
async function checkFree(path: string): Promise<void> {
  const before = statOf(path);
  if (!before) return;
  if (!before.isSocket()) throw new Error(`${path} is there and is no socket; it is left alone`);
  const pid = await listenerAt(path);
  if (pid !== undefined) {
    throw Object.assign(
      new Error(
        `another daemon (process ${pid}) listens at ${path}; stop it, or give this one its own --control`,
      ),
      { code: 'ALREADY_RUNNING' },
    );
  }
  if (isSame(statOf(path), before)) rmSync(path, { force: true });
}

async function giveName(temporary: string, path: string): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      linkSync(temporary, path);
      return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST' || attempt === ATTEMPTS) throw error;
    }
    await checkFree(path);
  }
}
