/**
 * How one test of the suite ended.
 * @typedef {{ name: string, outcome: 'passed' | 'failed' | 'skipped', detail: string[] }} TestResult
 */

const suiteLine = /^Suite: (\S+)/;
/** CUnit's word begins a line or ends one that the test left unfinished. */
const wordFirst = /^(?<before>)(?<word>passed|FAILED)(?<after>.*)$/;
const wordLast = /^(?<before>.*)(?<word>passed|FAILED)(?<after>)$/;
const testLine = /^ {2}Test: (\S+) \.\.\.(.*)$/;

/** Reads what `iscsi-test-cu --verbose` prints, line by line, and tells each test as it ends. */
export class SuiteOutput {
  #suite = '';
  #test;
  #detail = [];
  #skipped = false;
  #outcome;
  #onResult;

  /** @param {(result: TestResult) => void} onResult */
  constructor(onResult) {
    this.#onResult = onResult;
  }

  /** The test that began last and has not ended. */
  get running() {
    return this.#outcome === undefined ? this.#test : undefined;
  }

  /** @param {string} line without its line end */
  take(line) {
    const suite = suiteLine.exec(line);
    const test = testLine.exec(line);
    if (suite || test || line.startsWith('Run Summary:')) this.#settle();
    if (suite) this.#suite = suite[1];
    else if (test) {
      this.#test = `${this.#suite}.${test[1]}`;
      this.#body(test[2]);
    } else if (this.#test !== undefined) this.#body(line);
  }

  /**
   * The suite has ended.
   * @param {string} reason what to say of a test that had begun and did not end
   */
  end(reason) {
    if (this.running !== undefined) {
      this.#outcome = 'failed';
      this.#detail.push(reason);
    }
    this.#settle();
  }

  #body(text) {
    // A failed assertion is listed after the word FAILED, so a test ends where the next one begins.
    if (this.#outcome === undefined) {
      const ended = wordFirst.exec(text) ?? wordLast.exec(text);
      if (ended) {
        this.#outcome = ended.groups.word === 'passed' ? 'passed' : 'failed';
        this.#read(ended.groups.before);
        // What the suite prints while it cleans up stands on the same line; it is not the test's.
        if (this.#outcome === 'failed') this.#read(ended.groups.after);
        return;
      }
    }
    if (this.#outcome !== 'passed') this.#read(text);
  }

  #read(text) {
    if (text.includes('[SKIPPED]')) this.#skipped = true;
    if (text.trim() !== '') this.#detail.push(text.trim());
  }

  #settle() {
    if (this.#test === undefined || this.#outcome === undefined) return;
    const outcome = this.#outcome === 'passed' && this.#skipped ? 'skipped' : this.#outcome;
    this.#onResult({ name: this.#test, outcome, detail: this.#detail });
    this.#test = undefined;
    this.#outcome = undefined;
    this.#skipped = false;
    this.#detail = [];
  }
}
