// HOT PATH: take() runs for every command.
import { readUint32 } from '../scsi/big-endian.js';
import type { CommandWindow } from './command-window.js';
import { isBefore } from './pdu.js';

type Execute = (bytes: Buffer, at: number, ahsLength: number, dataStart: number, dataLength: number) => void;

interface HeldPdu {
  readonly bytes: Buffer;
  readonly at: number;
  readonly ahsLength: number;
  readonly dataStart: number;
  readonly dataLength: number;
}

/** Brings non-immediate requests into the order of their command numbers (RFC 7143 4.2.2.1). */
export class CommandOrder {
  readonly #window: CommandWindow;
  readonly #execute: Execute;
  /** Ahead of their turn; never more than the window is wide. */
  readonly #held = new Map<number, HeldPdu | 'aborted'>();

  constructor(window: CommandWindow, execute: Execute) {
    this.#window = window;
    this.#execute = execute;
  }

  /** Execute a request when its turn comes. One outside of the window is ignored, as the standard says. */
  take(bytes: Buffer, at: number, ahsLength: number, dataStart: number, dataLength: number): void {
    const cmdSn = readUint32(bytes, at + 24);
    if (cmdSn !== this.#window.expected) {
      if (!this.#window.admits(cmdSn) || this.#held.has(cmdSn)) return;
      this.#held.set(cmdSn, { bytes, at, ahsLength, dataStart, dataLength });
      return;
    }
    this.#window.advance();
    this.#execute(bytes, at, ahsLength, dataStart, dataLength);
    if (this.#held.size > 0) this.#executeHeld();
  }

  /**
   * ABORT TASK of a command that has not come (RFC 7143 11.5.1): its number counts as received.
   * @param before CmdSN of the request that aborts it
   * @returns false where the initiator cannot have sent such a command
   */
  skip(cmdSn: number, before: number): boolean {
    if (!this.#window.admits(cmdSn) || !isBefore(cmdSn, before)) return false;
    this.#held.set(cmdSn, 'aborted');
    this.#executeHeld();
    return true;
  }

  clear(): void {
    this.#held.clear();
  }

  #executeHeld(): void {
    for (;;) {
      const held = this.#held.get(this.#window.expected);
      if (!held) return;
      this.#held.delete(this.#window.expected);
      this.#window.advance();
      if (held !== 'aborted') {
        this.#execute(held.bytes, held.at, held.ahsLength, held.dataStart, held.dataLength);
      }
    }
  }
}
