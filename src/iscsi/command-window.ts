// HOT PATH: a few integer operations for each command.
import { isBefore } from './pdu.js';

/** CmdSN, ExpCmdSN and MaxCmdSN of a session (RFC 7143 4.2.2.1). */
export class CommandWindow {
  /** ExpCmdSN: the next command number to be taken. */
  expected: number;
  /** MaxCmdSN: the last one that may be sent. It never goes back. */
  max: number;

  /** @param first CmdSN of the login, which the first command has as well */
  constructor(first: number) {
    this.expected = first >>> 0;
    this.max = (first - 1) >>> 0;
  }

  /** Whether `cmdSn` lies in the window; others are ignored in silence. */
  admits(cmdSn: number): boolean {
    return !isBefore(cmdSn, this.expected) && !isBefore(this.max, cmdSn);
  }

  advance(): void {
    this.expected = (this.expected + 1) >>> 0;
  }

  get closed(): boolean {
    return isBefore(this.max, this.expected);
  }

  /** @param slots commands that may be sent from now on */
  open(slots: number): void {
    const max = (this.expected + slots - 1) >>> 0;
    if (isBefore(this.max, max)) this.max = max;
  }
}
