import type { Disk, HandlerLog } from '../handlers/contract.js';
import { additionalSense, senseKey, SenseError } from '../handlers/contract.js';
import { describeFailure } from '../scsi/errno.js';
import type { LogicalUnit } from '../scsi/logical-unit.js';
import { lateMessage, OPEN_TIMEOUT, openWithin, type DiskOpener } from './disk-opener.js';
import { endsWithin } from './patience.js';

export interface ReplaceOptions {
  /** How long commands may run on before the replacement is given up, in milliseconds. Default 10 000. */
  readonly patience?: number;
  /**
   * Do not give up: abort what still runs, and answer BUSY what does not listen, so that it is sent again. Its verb
   * may still write to what the old disk wrote to. Default false.
   */
  readonly force?: boolean;
  /** How long the new disk may take to open, in milliseconds. Default OPEN_TIMEOUT. */
  readonly openTimeout?: number;
}

export interface Replaced {
  /** For how long no command was served, in milliseconds. */
  readonly stall: number;
}

/** What a replacement asks of the device. */
export interface ReplacementHost {
  readonly name: string;
  readonly log: HandlerLog;
  readonly unit: LogicalUnit;
  /**
   * Start no command and wait for those that were started.
   * @returns false where some verb still uses the disk
   * @throws Error where they take too long and `force` is not set
   */
  quiesce(patience: number, force: boolean): Promise<boolean>;
  resume(): void;
}

/** Milliseconds a disk may take to close. */
const CLOSE_TIMEOUT = 10_000;

const flushContext = (): { fua: boolean; dpo: boolean; signal: AbortSignal } => ({
  fua: false,
  dpo: false,
  signal: AbortSignal.timeout(CLOSE_TIMEOUT),
});

async function close(disk: Disk, { name, log }: ReplacementHost): Promise<void> {
  try {
    if (await endsWithin(CLOSE_TIMEOUT, disk.close?.())) return;
    log.error(`${name}: close of the old disk did not end within ${CLOSE_TIMEOUT} ms`);
  } catch (error) {
    log.error(`${name}: close of the old disk failed: ${describeFailure(error)}`);
  }
}

/**
 * Stands where neither the new disk nor the old one could be opened. BECOMING READY has initiators try again for
 * some minutes, in which another reload can mend it.
 */
export function absentDisk(old: Disk, inherited: unknown): Disk {
  const { size } = old;
  const fail = (): never => {
    throw new SenseError(
      senseKey.notReady,
      additionalSense.logicalUnitIsInProcessOfBecomingReady,
      'the disk could not be opened',
    );
  };
  return new Proxy(old, {
    get(target, key): unknown {
      if (key === 'size') return size;
      if (key === 'handOver') return () => inherited;
      const value: unknown = Reflect.get(target, key);
      if (typeof value !== 'function') return value;
      // There is nothing to make stable any more.
      return key === 'flush' || key === 'close' ? (): void => undefined : fail;
    },
  });
}

/** One replacement of a device's disk under I/O. */
export class DiskReplacement {
  readonly #host: ReplacementHost;
  readonly #next: DiskOpener;
  readonly #previous: DiskOpener | undefined;
  readonly #options: Required<ReplaceOptions>;

  /**
   * @param previous opens the old disk again, where the new one cannot be opened. Without it the new disk is opened
   * before the old one is closed, which not every handler allows
   */
  constructor(
    host: ReplacementHost,
    next: DiskOpener,
    previous: DiskOpener | undefined,
    { patience = 10_000, force = false, openTimeout = OPEN_TIMEOUT }: ReplaceOptions = {},
  ) {
    this.#host = host;
    this.#next = next;
    this.#previous = previous;
    this.#options = { patience, force, openTimeout };
  }

  /** @throws Error that says why the old disk serves on */
  async run(): Promise<Replaced> {
    const { unit } = this.#host;
    unit.checkReplaceable();
    const begun = performance.now();
    try {
      const free = await this.#host.quiesce(this.#options.patience, this.#options.force);
      unit.checkReplaceable();
      const { disk } = unit;
      // Before anything is given up: what cannot be made stable must not be lost by us.
      if (!disk.readOnly) await disk.flush?.(flushContext());
      if (free && this.#previous) await this.#closeThenOpen(disk, this.#previous);
      else await this.#openThenClose(disk, free);
    } finally {
      this.#host.resume();
    }
    return { stall: performance.now() - begun };
  }

  #open(open: DiskOpener, inherited: unknown): Promise<Disk> {
    const { name, log } = this.#host;
    return openWithin(this.#options.openTimeout, open, inherited, (error) =>
      log.error(lateMessage(name, error)),
    );
  }

  /** @throws where it cannot be opened or does not fit; it is closed then, and what it took over is given back */
  async #install(inherited: unknown): Promise<void> {
    const disk = await this.#open(this.#next, inherited);
    try {
      this.#host.unit.replaceDisk(disk);
    } catch (error) {
      await disk.handOver?.();
      await close(disk, this.#host);
      throw error;
    }
  }

  async #closeThenOpen(old: Disk, previous: DiskOpener): Promise<void> {
    const inherited = await old.handOver?.();
    await close(old, this.#host);
    try {
      await this.#install(inherited);
    } catch (error) {
      await this.#restore(old, previous, inherited);
      throw error;
    }
  }

  async #openThenClose(old: Disk, free: boolean): Promise<void> {
    await this.#install(undefined);
    const { name, log } = this.#host;
    if (free) await close(old, this.#host);
    else log.error(`${name}: verbs of the old disk never ended; it stays open`);
  }

  async #restore(old: Disk, previous: DiskOpener, inherited: unknown): Promise<void> {
    const { name, log, unit } = this.#host;
    try {
      unit.replaceDisk(await this.#open(previous, inherited));
    } catch (error) {
      unit.replaceDisk(absentDisk(old, inherited));
      log.error(
        `${name}: the old disk cannot be opened again either: ${describeFailure(error)}; ` +
          'initiators are told to try again later',
      );
    }
  }
}
