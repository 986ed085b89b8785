import { setMaxListeners } from 'node:events';
import type { Disk } from '../../../src/scsi/disk.js';
import { LogicalUnit } from '../../../src/scsi/logical-unit.js';
import { IscsiTarget, type IscsiTargetOptions } from '../../../src/iscsi/iscsi-target.js';
import { RawInitiator, TARGET_NAME } from './raw-initiator.js';

/** A disk in one buffer, whose verbs can be held back. */
export class BufferDisk implements Disk {
  readonly bytes: Uint8Array;
  /** Reads and writes begun and not let go on. */
  readonly held: (() => void)[] = [];
  hold = false;
  onHeld: (() => void) | undefined;

  constructor(readonly size: number) {
    this.bytes = new Uint8Array(size);
  }

  #when(job: () => void, signal: AbortSignal): void | Promise<void> {
    if (!this.hold) return job();
    return new Promise((resolve, reject) => {
      // One for each piece of a command.
      setMaxListeners(0, signal);
      signal.addEventListener('abort', () => reject(signal.reason as Error));
      this.held.push(() => {
        job();
        resolve();
      });
      this.onHeld?.();
    });
  }

  read(buffer: Uint8Array, offset: number, { signal }: { signal: AbortSignal }): void | Promise<void> {
    return this.#when(() => buffer.set(this.bytes.subarray(offset, offset + buffer.length)), signal);
  }

  write(buffer: Uint8Array, offset: number, { signal }: { signal: AbortSignal }): void | Promise<void> {
    return this.#when(() => this.bytes.set(buffer, offset), signal);
  }

  /** Settles when a verb is held back. */
  whenHeld(count = 1): Promise<void> {
    return new Promise((resolve) => {
      const check = (): void => {
        if (this.held.length >= count) resolve();
      };
      this.onHeld = check;
      check();
    });
  }

  release(): void {
    this.hold = false;
    for (const job of this.held.splice(0)) job();
  }
}

export interface Fixture {
  readonly target: IscsiTarget;
  readonly disk: BufferDisk;
  readonly unit: LogicalUnit;
  readonly log: string[];
  connect(portal?: number): Promise<RawInitiator>;
  /** Connect, log in, and take the first unit attention. */
  attach(keys?: Readonly<Record<string, string>>, options?: object): Promise<RawInitiator>;
  close(): Promise<void>;
}

/** A target with one disk of 1 MiB as LUN 0. */
export async function startTarget(options: Partial<IscsiTargetOptions> = {}): Promise<Fixture> {
  const log: string[] = [];
  const push = (message: string): void => void log.push(message);
  const target = await IscsiTarget.start({
    portals: [{ host: '127.0.0.1', port: 0 }],
    log: { debug: push, info: push, warn: push },
    logoutGrace: 50,
    ...options,
  });
  const disk = new BufferDisk(1024 * 1024);
  const unit = new LogicalUnit(disk, { serial: 'raw' });
  target.add({ name: TARGET_NAME, luns: new Map([[0, unit]]), alias: 'a disk for tests' });
  const initiators: RawInitiator[] = [];
  const connect = async (portal = 0): Promise<RawInitiator> => {
    const initiator = await RawInitiator.connect(target.addresses[portal]);
    initiators.push(initiator);
    return initiator;
  };
  return {
    target,
    disk,
    unit,
    log,
    connect,
    attach: async (keys = {}, more = {}) => {
      const initiator = await connect();
      await initiator.login({ keys, ...more });
      await initiator.clearAttention();
      return initiator;
    },
    close: async () => {
      disk.release();
      for (const initiator of initiators) initiator.destroy();
      await target.close();
    },
  };
}
