// HOT PATH: one push and one shift for each entry.

/**
 * The ops and lengths of the entries between tail and next, as they were checked when they were fetched: what
 * the shared memory says later is not asked again. Grows by doubling; never shrinks.
 */
export class EntryQueue {
  #words = new Uint32Array(256);
  #first = 0;
  #length = 0;

  get isEmpty(): boolean {
    return this.#length === 0;
  }

  /** len_op of the oldest entry. */
  get first(): number {
    return this.#words[this.#first];
  }

  push(lengthAndOp: number): void {
    if (this.#length === this.#words.length) this.#grow();
    this.#words[(this.#first + this.#length) & (this.#words.length - 1)] = lengthAndOp;
    this.#length++;
  }

  /** Remove the oldest. @returns its len_op */
  shift(): number {
    const word = this.#words[this.#first];
    this.#first = (this.#first + 1) & (this.#words.length - 1);
    this.#length--;
    return word;
  }

  #grow(): void {
    const words = new Uint32Array(this.#words.length * 2);
    words.set(this.#words.subarray(this.#first));
    words.set(this.#words.subarray(0, this.#first), this.#words.length - this.#first);
    this.#words = words;
    this.#first = 0;
  }
}
