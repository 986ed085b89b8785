import { writeFileSync } from 'node:fs';
import process from 'node:process';
import { run } from './run.js';

/** What must not be in the kernel's log when everything is well. */
const alarms =
  /I\/O error|ring is broken|ring broken|blocked for more than|Call Trace|BUG:|WARNING:|UBSAN|EXT4-fs error|XFS.*(corrupt|error)|Buffer I\/O|timing out|timed out|ABORT_TASK|critical .* error|Unsupported SCSI Opcode|DRIVER_TIMEOUT|out of memory|Out of memory/i;

/** The kernel's log since this object was made. */
export class KernelLog {
  static #made = 0;
  readonly #marker: string;

  /** Its place is marked in the log itself, whose oldest lines go when it is full. */
  private constructor() {
    this.#marker = `lunette kernel test, process ${process.pid}, log ${++KernelLog.#made}.`;
    writeFileSync('/dev/kmsg', `${this.#marker}\n`);
  }

  static async fromNow(): Promise<KernelLog> {
    const log = new KernelLog();
    await log.lines();
    return log;
  }

  async lines(): Promise<string[]> {
    const all = (await run('dmesg', [])).stdout.split('\n');
    const from = all.findIndex((line) => line.includes(this.#marker));
    if (from < 0) throw new Error('the kernel’s log has lost lines: it is too small');
    return all.slice(from + 1);
  }

  /** @param allowed alarms that the test itself provokes */
  async alarms(allowed?: RegExp): Promise<string[]> {
    return (await this.lines()).filter((line) => alarms.test(line) && !allowed?.test(line));
  }
}
