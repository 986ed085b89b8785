import { vitalProductData, vpdPage } from './commands/vital-product-data.js';
import { copyLimits } from './copy-limits.js';
import { RodTokens } from './copy-token.js';
import { StatusError } from './sense.js';
import { scsiStatus } from './status.js';
import type { Unit } from './unit.js';

export interface CopyManagerOptions {
  /** A clock in milliseconds, for the time-outs of ROD tokens. Default the time of day. */
  readonly now?: () => number;
  /** Fills its argument with random bytes, which make tokens unguessable. Default the platform's Web Crypto. */
  readonly random?: (bytes: Uint8Array) => unknown;
}

/** A designator of VPD page 83h (SPC-4 7.8.6), without its header's reserved byte and length. */
export interface Designator {
  readonly codeSet: number;
  readonly type: number;
  readonly value: Uint8Array;
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, at) => byte === b[at]);
}

/** The designators of VPD page 83h that name the unit itself rather than a port or the device. */
export function designatorsOf(unit: Unit): Designator[] {
  const page = vitalProductData(unit, vpdPage.deviceIdentification) ?? new Uint8Array();
  const designators: Designator[] = [];
  for (let at = 4; at + 4 <= page.length; at += 4 + page[at + 3]) {
    const association = (page[at + 1] >> 4) & 0x03;
    if (association !== 0) continue;
    const value = page.subarray(at + 4, at + 4 + page[at + 3]);
    designators.push({ codeSet: page[at] & 0x0f, type: page[at + 1] & 0x0f, value });
  }
  return designators;
}

/**
 * What third-party copies go through: knows the logical units that may be copied between, and the ROD tokens.
 * Logical units that share one (`LogicalUnitOptions.copyManager`) can be copied between; each has one of its own
 * otherwise.
 *
 * @example
 * const copyManager = new CopyManager();
 * const units = disks.map((disk, index) => new LogicalUnit(disk, { serial: `disk-${index}`, copyManager }));
 */
export class CopyManager {
  readonly tokens: RodTokens;
  readonly #units = new Set<Unit>();
  #running = 0;

  constructor({
    now = Date.now,
    random = (bytes): unknown => crypto.getRandomValues(bytes),
  }: CopyManagerOptions = {}) {
    this.tokens = new RodTokens(now, random);
  }

  /** A logical unit does this itself when it is made. */
  register(unit: Unit): void {
    this.#units.add(unit);
  }

  /** Its copies in the background end, its tokens mean nothing any more. LogicalUnit.close does it. */
  unregister(unit: Unit): void {
    this.#units.delete(unit);
    this.tokens.drop(unit);
  }

  /**
   * The unit that a designator names. Asked each time: serial numbers may change.
   * @param asked the unit that got the command: looked at first
   */
  find({ codeSet, type, value }: Designator, asked: Unit): Unit | undefined {
    for (const unit of new Set([asked, ...this.#units])) {
      const named = designatorsOf(unit).some(
        (own) => own.codeSet === codeSet && own.type === type && sameBytes(own.value, value),
      );
      if (named) return unit;
    }
    return undefined;
  }

  /**
   * Run a copy operation.
   * @throws StatusError BUSY where too many run
   */
  async run<Value>(job: () => Promise<Value>): Promise<Value> {
    if (this.#running >= copyLimits.concurrent) {
      throw new StatusError(scsiStatus.busy, `${this.#running} copy operations are running`);
    }
    this.#running++;
    try {
      return await job();
    } finally {
      this.#running--;
    }
  }
}
