import { constants } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { endsWithin } from '../device/patience.js';
import { native, type NetlinkSocketHandle } from '../native/addon.js';
import { CONFIGFS, ConfigfsDevice } from './configfs.js';
import { writeKernelFile } from './kernel-file.js';
import type { TargetLog } from './log.js';
import { RECEIVE_BUFFER, TcmUserNetlink, type DeviceChange, type TcmUserEvent } from './tcm-user-netlink.js';
import { parseUioName, readUio, scanUio, type TcmuDevice, type UioRoots } from './uio.js';

export type { DeviceChange } from './tcm-user-netlink.js';

/**
 * Who serves the devices. What a verb throws is told to the kernel by its `code`, an errno's name such as
 * `ENOENT`, or as EINVAL. The kernel waits until the promise settles.
 */
export interface TargetListener {
  /** Whether this process serves devices of that subtype. Asked before each of the others. */
  owns(device: TcmuDevice): boolean;
  added(device: TcmuDevice): Promise<void>;
  /** Called for devices that it owns, also where added() failed. configfs must not be touched: see ConfigfsDevice. */
  removed(device: TcmuDevice): Promise<void>;
  reconfigured(device: TcmuDevice, change: DeviceChange): Promise<void>;
}

export interface KernelTargetOptions extends UioRoots {
  readonly listener: TargetListener;
  readonly log: TargetLog;
  /**
   * Whether this process answers the events of every device, those of others too; false where another TCMU daemon
   * does. Asked at each event. Default: it does.
   */
  readonly answerForeign?: () => boolean;
  /** Where configfs is mounted. Default /sys/kernel/config. */
  readonly config?: string;
  /** Default: a netlink socket of the kernel's. */
  readonly socket?: NetlinkSocketHandle;
  /** How long start() waits for the devices that exist, in milliseconds. Default 10 000. */
  readonly openTimeout?: number;
  /** How long close() waits for the listener before it answers for it, in milliseconds. Default 5 000. */
  readonly closeTimeout?: number;
  /**
   * How long after a device that exists could not be served it is tried again, in milliseconds; twice as long each
   * time, at most a minute. Default 1000.
   */
  readonly retryAfter?: number;
}

/** A device as far as it is known. */
interface Known {
  readonly device: TcmuDevice;
  /** Whether the kernel waits for answers to its events; its configfs must not be read at its removal. */
  readonly waits: boolean;
  /** Whether the listener has it. */
  readonly served: boolean;
  /** The listener could not serve it, and is asked again. */
  readonly failed?: boolean;
}

function statusOf(error: unknown): number {
  const code = (error as NodeJS.ErrnoException | undefined)?.code ?? '';
  const numbers: Record<string, number> = constants.errno;
  return -(numbers[code] ?? constants.errno.EINVAL);
}

/** Milliseconds. */
const LONGEST_RETRY = 60_000;
const BUSY_WAIT = 50;
const BUSY_TRIES = 20;

function isBusy(error: unknown): boolean {
  const { code, cause } = error as NodeJS.ErrnoException;
  return code === 'EBUSY' || (cause as NodeJS.ErrnoException | undefined)?.code === 'EBUSY';
}

/**
 * Follows the TCMU devices of this host: those that exist, then those that come, change and go.
 *
 * Who answers. The kernel waits for one answer to each event (target_core_user.c, tcmu_genl_cmd_done). A second one
 * is refused with ENODEV where nothing is waited for; but where the same device has had its next event meanwhile,
 * that event's entry is taken off the list before the mismatch is seen, so that nobody can answer it any more and
 * the kernel waits for ever. So exactly one process may answer. tcmu-runner answers every event of every device, and
 * refuses (ENOENT) to add one that is not its own, even one of a handler that is registered with it. Beside it
 * (answerForeign() is false) nothing is answered from here, and only devices which the kernel does not wait for are
 * served (control=nl_reply_supported=-1).
 */
export class KernelTarget {
  readonly #options: KernelTargetOptions;
  readonly #log: TargetLog;
  readonly #known = new Map<string, Known>();
  /** What is under way, by UIO name: events of one device are handled one after the other. */
  readonly #queues = new Map<string, Promise<void>>();
  #netlink!: TcmUserNetlink;
  readonly #retries = new Map<string, NodeJS.Timeout>();
  #giveUp!: () => void;
  /** Resolves when nobody can wait for the listener any longer. */
  readonly #givenUp = new Promise<void>((resolve) => (this.#giveUp = resolve));
  #closing: Promise<void> | undefined;

  private constructor(options: KernelTargetOptions) {
    this.#options = options;
    this.#log = options.log;
  }

  /**
   * Join the kernel's group, serve the devices that exist, and follow the events. Resolves when the listener was
   * given every device that exists; one that it refuses, or that it has not added in time, is logged, and does not
   * stop the others.
   * @throws TcmUserError where the kernel has no TCMU or does not let this process in
   */
  static async start(options: KernelTargetOptions): Promise<KernelTarget> {
    const target = new KernelTarget(options);
    const socket = options.socket ?? new (native().NetlinkSocket)(RECEIVE_BUFFER);
    // Joined before the scan, so that no device falls between.
    target.#netlink = await TcmUserNetlink.open(
      socket,
      options.log,
      (event) => void target.#enqueue(event.uio, () => target.#onEvent(event)),
    );
    try {
      if (target.#answers()) {
        target.#releaseStuckEvents();
        await target.#netlink.setFeatures(true);
      }
      const existing = scanUio(options);
      await target.#withinOpenTimeout(
        existing.map(({ uio }) => target.#enqueue(uio, () => target.#addExisting(uio))),
      );
    } catch (error) {
      await target.close();
      throw error;
    }
    return target;
  }

  async #withinOpenTimeout(opening: Promise<void>[]): Promise<void> {
    const timeout = this.#options.openTimeout ?? 10_000;
    if (await endsWithin(timeout, Promise.all(opening))) return;
    const names = [...this.#queues.keys()].join(', ');
    this.#log.warn(`${names}: not open after ${timeout} ms; the daemon goes on without waiting`);
  }

  /** Stop following. The kernel then no longer waits for answers; served devices stay with the listener. */
  close(): Promise<void> {
    return (this.#closing ??= this.#close());
  }

  async #close(): Promise<void> {
    const timer = setTimeout(this.#giveUp, this.#options.closeTimeout ?? 5_000);
    for (const retry of this.#retries.values()) clearTimeout(retry);
    // First: what happens from here on is not waited for, or it would hang until the next daemon comes.
    if (this.#answers()) {
      await this.#netlink
        .setFeatures(false)
        .catch((error: Error) => this.#log.warn(`the kernel still waits for answers: ${error.message}`));
    }
    while (this.#queues.size > 0) await Promise.all(this.#queues.values());
    clearTimeout(timer);
    this.#netlink.close();
  }

  #answers(): boolean {
    return this.#options.answerForeign?.() ?? true;
  }

  #configfs(name: { hba: string; name: string }): ConfigfsDevice {
    return new ConfigfsDevice(name, this.#options.config ?? CONFIGFS);
  }

  #waits(device: TcmuDevice): boolean {
    try {
      return this.#configfs(device).waitsForReply();
    } catch {
      // An answer too many is refused; an answer missing is a hang.
      return true;
    }
  }

  #enqueue(uio: string, task: () => Promise<void>): Promise<void> {
    const done = (this.#queues.get(uio) ?? Promise.resolve()).then(task).catch((error: Error) => {
      this.#log.error(`${uio}: ${error.message}`);
    });
    this.#queues.set(uio, done);
    void done.then(() => {
      if (this.#queues.get(uio) === done) this.#queues.delete(uio);
    });
    return done;
  }

  /**
   * Fail what a daemon that died left unanswered: the kernel still waits for it, and a device it is removing could
   * not be looked at without waiting as well.
   */
  #releaseStuckEvents(): void {
    const parameters = join(this.#options.sys ?? '/sys', 'module/target_core_user/parameters');
    const set = (parameter: string, value: string): void =>
      writeKernelFile(join(parameters, parameter), value);
    try {
      set('block_netlink', '1');
      try {
        set('reset_netlink', '1');
      } finally {
        set('block_netlink', '0');
      }
    } catch (error) {
      // Kernels before 4.19 have no such parameters.
      this.#log.debug(
        `unanswered events of an earlier daemon were not released: ${(error as Error).message}`,
      );
    }
  }

  async #addExisting(uio: string, retryAfter = this.#options.retryAfter ?? 1000): Promise<void> {
    // Its events, where there were any, have been handled since the scan.
    const device = readUio(uio, this.#options);
    const known = this.#known.get(uio);
    if (!device || (known && !known.failed)) return;
    const owned = this.#options.listener.owns(device);
    let failed = false;
    if (owned) {
      try {
        await this.#unlessGivenUp(this.#add(device));
      } catch (error) {
        failed = true;
        this.#log.error(`${device.hba}/${device.name} cannot be served: ${(error as Error).message}`);
        this.#retry(uio, retryAfter);
      }
    }
    this.#known.set(uio, { device, served: owned && !failed, failed, waits: this.#waits(device) });
  }

  /** Its commands wait in the kernel, and what is missing may come: a mount, a network, time. */
  #retry(uio: string, wait: number): void {
    if (this.#closing) return;
    const next = Math.min(2 * wait, LONGEST_RETRY);
    const timer = setTimeout(() => {
      this.#retries.delete(uio);
      void this.#enqueue(uio, () => this.#addExisting(uio, next));
    }, wait).unref();
    clearTimeout(this.#retries.get(uio));
    this.#retries.set(uio, timer);
  }

  /** Beside tcmu-runner a device may be in use for a moment: it opens every UIO device before it refuses it. */
  async #add(device: TcmuDevice): Promise<void> {
    for (let tries = 1; ; tries++) {
      try {
        return await this.#options.listener.added(device);
      } catch (error) {
        if (this.#answers() || tries === BUSY_TRIES || !isBusy(error)) throw error;
      }
      await delay(BUSY_WAIT);
    }
  }

  async #onEvent(event: TcmUserEvent): Promise<void> {
    const device = this.#deviceOf(event);
    const waits =
      this.#known.get(event.uio)?.waits ?? (event.kind !== 'added' || !device || this.#waits(device));
    const answers = this.#answers();
    let status = 0;
    try {
      await this.#unlessGivenUp(this.#handle(event, device, waits && !answers));
    } catch (error) {
      status = statusOf(error);
      this.#log.error(`${event.uioName}: '${event.kind}' failed: ${(error as Error).message}`);
    }
    if (answers && waits) await this.#netlink.answer(event, status);
  }

  async #unlessGivenUp(work: Promise<void>): Promise<void> {
    const outcome = await Promise.race([work.then(() => 'done'), this.#givenUp]);
    // Not EINTR: after it, targetcli's Python would write to `enable` once more.
    if (outcome === undefined) throw Object.assign(new Error('the daemon is leaving'), { code: 'ECANCELED' });
  }

  #deviceOf(event: TcmUserEvent): TcmuDevice | undefined {
    const known = this.#known.get(event.uio)?.device;
    if (event.kind !== 'added') return known;
    const device = readUio(event.uio, this.#options);
    // Not the one the event is about: removed, and its number taken by another one, whose event is still to come.
    const named = parseUioName(event.uioName);
    return device?.name === named?.name && device?.hba === named?.hba ? device : undefined;
  }

  async #handle(event: TcmUserEvent, device: TcmuDevice | undefined, refused: boolean): Promise<void> {
    const { listener } = this.#options;
    const known = this.#known.get(event.uio);
    if (event.kind === 'added') {
      if (!device) throw Object.assign(new Error('the device is gone already'), { code: 'ENODEV' });
      // The scan came first.
      if (known?.device.name === device.name && known.device.hba === device.hba && !known.failed) return;
      const served = listener.owns(device);
      if (served && refused) {
        throw new Error(
          'the other TCMU daemon on this host answers for all devices and refuses this one: stop it, or create the ' +
            'device with control=nl_reply_supported=-1',
        );
      }
      const waits = this.#waits(device);
      if (served) await this.#add(device);
      this.#known.set(event.uio, { device, served, waits });
    } else if (event.kind === 'removed') {
      this.#known.delete(event.uio);
      if (known && (known.served || known.failed)) await listener.removed(known.device);
    } else if (known?.served) {
      await listener.reconfigured(known.device, event.change);
    }
  }
}
