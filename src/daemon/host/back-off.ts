/** Milliseconds. */
const FIRST = 100;
const LONGEST = 10_000;
/** Who lives for less has not come to rest. */
const SETTLED = 10_000;

/** How long to wait before what died is started again: longer each time, unless it had lived for a while. */
export class BackOff {
  #next = FIRST;

  /** @param lived milliseconds that it served; 0 where it could not be started @returns milliseconds to wait */
  died(lived: number): number {
    if (lived > Math.max(SETTLED, 4 * this.#next)) this.#next = FIRST;
    const wait = this.#next;
    this.#next = Math.min(LONGEST, wait * 2);
    return wait;
  }
}
