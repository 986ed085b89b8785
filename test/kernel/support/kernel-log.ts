import { run } from './run.js';

/** What must not be in the kernel's log when everything is well. */
const alarms =
  /I\/O error|ring is broken|ring broken|blocked for more than|Call Trace|BUG:|WARNING:|UBSAN|EXT4-fs error|XFS.*(corrupt|error)|Buffer I\/O|timing out|timed out|ABORT_TASK|critical .* error|Unsupported SCSI Opcode|DRIVER_TIMEOUT|out of memory|Out of memory/i;

/** The kernel's log since this object was made. */
export class KernelLog {
  readonly #first: number;

  private constructor(first: number) {
    this.#first = first;
  }

  static async fromNow(): Promise<KernelLog> {
    return new KernelLog((await allLines()).length);
  }

  async lines(): Promise<string[]> {
    return (await allLines()).slice(this.#first);
  }

  /** @param allowed alarms that the test itself provokes */
  async alarms(allowed?: RegExp): Promise<string[]> {
    return (await this.lines()).filter((line) => alarms.test(line) && !allowed?.test(line));
  }
}

async function allLines(): Promise<string[]> {
  return (await run('dmesg', [])).stdout.split('\n');
}
