import type { Nexus } from './command.js';
import type { Disk } from './disk.js';
import type { ModePages, Threshold } from './mode-pages.js';
import { additionalSense } from './sense.js';
import type { UnitAttentions } from './unit-attention.js';

/** A threshold set is 1 MiB, or larger where the disk's size in sets would not fit 32 bits. */
const SMALLEST_SET = 1024 * 1024;

/** Storage in use and storage left, in threshold sets. */
export interface ProvisioningUsage {
  readonly used: number;
  readonly available: number;
}

/**
 * Logical block provisioning thresholds (SBC-3 4.7.3.7): storage in use, or left, as the logical block
 * provisioning mode page says. Reaching one is told once, until it was left again.
 */
export class ProvisioningThresholds {
  /** THRESHOLD EXPONENT of VPD page B2h: a set is 2^exponent logical blocks. */
  readonly exponent: number;
  readonly #usage: () => { used: number; available: number };
  readonly #setLength: number;
  readonly #modes: ModePages;
  readonly #attentions: UnitAttentions;
  #generation = -1;
  #enabled: readonly Threshold[] = [];
  /** Those of #enabled that were reached and told. */
  #reached = new Set<Threshold['resource']>();

  constructor(disk: Disk, blockSize: number, modes: ModePages, attentions: UnitAttentions) {
    this.#usage = () => disk.usage!();
    this.#modes = modes;
    this.#attentions = attentions;
    let setLength = Math.max(SMALLEST_SET, blockSize);
    while (disk.size / setLength > 0xffff_ffff) setLength *= 2;
    this.#setLength = setLength;
    this.exponent = Math.log2(setLength / blockSize);
  }

  usage(): ProvisioningUsage {
    const { used, available } = this.#usage();
    // Used is rounded up and available down: neither looks better than it is.
    return {
      used: Math.min(0xffff_ffff, Math.ceil(used / this.#setLength)),
      available: Math.min(0xffff_ffff, Math.floor(available / this.#setLength)),
    };
  }

  /** To be called after each write. @param nexus that wrote */
  check(nexus: Nexus): void {
    if (this.#modes.generation !== this.#generation) {
      this.#generation = this.#modes.generation;
      this.#enabled = this.#modes.thresholds;
      this.#reached.clear();
    }
    if (this.#enabled.length === 0) return;
    const usage = this.usage();
    for (const { resource, count } of this.#enabled) {
      const reached = resource === 'used' ? usage.used >= count : usage.available <= count;
      if (reached === this.#reached.has(resource)) continue;
      if (reached) this.#tell(nexus);
      if (reached) this.#reached.add(resource);
      else this.#reached.delete(resource);
    }
  }

  #tell(nexus: Nexus): void {
    const code = additionalSense.thinProvisioningSoftThresholdReached;
    if (this.#modes.singleInitiatorThreshold) this.#attentions.establishFor(nexus, code);
    else this.#attentions.establish(code);
  }
}
