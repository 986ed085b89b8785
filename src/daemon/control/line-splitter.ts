const NEWLINE = 0x0a;
const MAX_PARTS = 64;

/** A line was longer than allowed. What follows it cannot be told apart any more. */
export class LineTooLong extends Error {
  override readonly name = 'LineTooLong';

  constructor(limit: number) {
    super(`a message is longer than ${limit} bytes`);
  }
}

/** Cuts a stream of bytes into lines, and keeps no more of it than one line may have. */
export class LineSplitter {
  readonly #limit: number;
  #parts: Uint8Array[] = [];
  #held = 0;

  /** @param limit the longest line in bytes */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /**
   * @returns the lines that `chunk` completes, without their ends; empty ones are left out
   * @throws LineTooLong, after which the splitter is of no use
   */
  *push(chunk: Uint8Array): IterableIterator<string> {
    let start = 0;
    for (;;) {
      const end = chunk.indexOf(NEWLINE, start);
      const rest = chunk.subarray(start, end < 0 ? undefined : end);
      if (this.#held + rest.length > this.#limit) throw new LineTooLong(this.#limit);
      if (end < 0) {
        this.#hold(rest);
        return;
      }
      const line = Buffer.concat([...this.#parts, rest])
        .toString('utf8')
        .trim();
      this.#parts = [];
      this.#held = 0;
      if (line !== '') yield line;
      start = end + 1;
    }
  }

  #hold(part: Uint8Array): void {
    if (part.length === 0) return;
    this.#held += part.length;
    this.#parts.push(part);
    // A line that comes byte by byte must not cost an object for each.
    if (this.#parts.length > MAX_PARTS) this.#parts = [Buffer.concat(this.#parts)];
  }
}
