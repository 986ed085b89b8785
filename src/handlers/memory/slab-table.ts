// HOT PATH: get() runs for each read and write.
import type { Slab } from './slab.js';

/** Slabs by their index, in groups of so many: a group costs 4 KiB, and stands for 1 GiB of a disk. */
const GROUP = 512;

/** Which slab is where on a disk. Found in half the time that a Map takes. */
export class SlabTable {
  readonly #groups: (Slab | undefined)[][] = [];
  #size = 0;

  /** Slabs in it. */
  get size(): number {
    return this.#size;
  }

  get(index: number): Slab | undefined {
    const group = this.#groups[Math.floor(index / GROUP)] as (Slab | undefined)[] | undefined;
    return group === undefined ? undefined : group[index % GROUP];
  }

  /** Where there is none yet. */
  add(index: number, slab: Slab): void {
    const at = Math.floor(index / GROUP);
    this.#groups[at] ??= new Array<undefined>(GROUP).fill(undefined);
    this.#groups[at][index % GROUP] = slab;
    this.#size++;
  }

  /** Where there is one. */
  delete(index: number): void {
    this.#groups[Math.floor(index / GROUP)][index % GROUP] = undefined;
    this.#size--;
  }

  /** Those there are. Slabs may be deleted meanwhile. */
  *indexes(): IterableIterator<number> {
    for (const [at, group] of Object.entries(this.#groups)) {
      for (const [index, slab] of group.entries()) if (slab) yield Number(at) * GROUP + index;
    }
  }
}
