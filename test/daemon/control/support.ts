import { mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LocalDevice } from '../../../src/daemon/control/local-device.js';
import type { LogLevelName } from '../../../src/daemon/control/schema.js';
import { ControlServer } from '../../../src/daemon/control/server.js';
import type { ControlDevice, ControlTarget } from '../../../src/daemon/control/target.js';
import type { Disk } from '../../../src/scsi/disk.js';
import { RecordingLog, serve, type Rig } from '../../device/support.js';
import { TestDisk } from '../../scsi/support/disk.js';

/** A daemon without a kernel: real devices, on emulated rings. */
export class EmulatedDaemon implements ControlTarget {
  readonly version = '1.2.3';
  logLevel: LogLevelName = 'info';
  readonly rigs = new Map<string, Rig>();
  reload?: (name: string) => Promise<void>;
  readonly #devices: ControlDevice[] = [];

  async add(name: string, disk: Disk = new TestDisk()): Promise<Rig> {
    const rig = await serve(disk, { name });
    await rig.initiator.readCapacity();
    this.rigs.set(name, rig);
    const config = { subtype: 'test', devConfig: 'test/config', devicePath: '/dev/uio7' };
    this.#devices.push(new LocalDevice(rig.device, config));
    return rig;
  }

  devices(): readonly ControlDevice[] {
    return this.#devices;
  }

  remove(name: string): Promise<void> {
    const index = this.#devices.findIndex((device) => device.name === name);
    this.#devices.splice(index, 1);
    return this.rigs.get(name)?.device.close(0) ?? Promise.resolve();
  }

  async close(): Promise<void> {
    for (const { device } of this.rigs.values()) await device.close(0);
  }
}

/** A control socket in a folder of its own, over an emulated daemon with the devices named. */
export class ControlRig {
  readonly folder = mkdtempSync(join(tmpdir(), 'lunette-control-'));
  readonly path = join(this.folder, 'control.sock');
  readonly log = new RecordingLog();
  readonly daemon = new EmulatedDaemon();
  server: ControlServer | undefined;

  static async start(...names: string[]): Promise<ControlRig> {
    const rig = new ControlRig();
    for (const name of names) await rig.daemon.add(name);
    rig.server = await rig.listen();
    return rig;
  }

  /** Another server at the same path. */
  listen(users?: readonly number[]): Promise<ControlServer> {
    return ControlServer.start({ path: this.path, target: this.daemon, log: this.log, users });
  }

  async close(): Promise<void> {
    await this.server?.close();
    await this.daemon.close();
    rmSync(this.folder, { recursive: true });
  }
}

export interface Answer {
  readonly id: unknown;
  readonly result?: Record<string, unknown>;
  readonly error?: { readonly code: number; readonly message: string };
}

/** One who says to the socket whatever it likes. */
export class RawCaller {
  readonly socket: Socket;
  readonly closed: Promise<void>;
  readonly lines: string[] = [];
  #rest = '';
  #wake: (() => void) | undefined;
  #isClosed = false;

  constructor(path: string) {
    this.socket = connect(path);
    this.socket.setEncoding('utf8').on('data', (text) => {
      const lines = (this.#rest + String(text)).split('\n');
      this.#rest = lines.pop() ?? '';
      this.lines.push(...lines);
      this.#wake?.();
    });
    this.socket.on('error', () => undefined);
    this.closed = new Promise((resolve) => {
      this.socket.on('close', () => {
        this.#isClosed = true;
        this.#wake?.();
        resolve();
      });
    });
  }

  /** The next line; undefined where the socket was closed instead. */
  async line(): Promise<string | undefined> {
    while (this.lines.length === 0) {
      if (this.#isClosed) return undefined;
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
    return this.lines.shift();
  }

  async answer(): Promise<Answer> {
    return JSON.parse((await this.line()) ?? 'null') as Answer;
  }

  say(message: unknown): void {
    this.socket.write(`${typeof message === 'string' ? message : JSON.stringify(message)}\n`);
  }

  /** Say `message` and take the next line for its answer. */
  ask(message: unknown): Promise<Answer> {
    this.say(message);
    return this.answer();
  }

  call(method: string, params: unknown = {}): Promise<Answer> {
    return this.ask({ jsonrpc: '2.0', id: 1, method, params });
  }
}
