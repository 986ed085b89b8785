/** How long each step of something took, for a line of the log. */
export class Steps {
  #last = performance.now();
  readonly #taken: string[] = [];

  /** A step is done: the next one begins. @param name as the log is to have it */
  done(name: string): void {
    const now = performance.now();
    this.#taken.push(`${name} ${(now - this.#last).toFixed(1)}`);
    this.#last = now;
  }

  /** `drain 0.4, flush 1.2 ms` */
  toString(): string {
    return `${this.#taken.join(', ')} ms`;
  }
}
