import type { Blocks } from './data-area.js';
import type { TransportRequest, TransportResponse } from './transport.js';

/** A command the emulated kernel has been given. */
export class PendingCommand {
  /** How it ends towards the initiator. Never rejects. */
  readonly done: Promise<TransportResponse>;
  /** cmd_id while it is on the ring, else 0. */
  id = 0;
  dataBlocks: Blocks = [];
  bidiBlocks: Blocks = [];
  /** When it runs out of time, on performance.now()'s clock. */
  deadline = Infinity;
  /** Answered towards the initiator because it took too long; still on the ring. */
  expired = false;
  /** Answered with KEEP_BUF. */
  kept = false;
  /** Aborted by a task management function. */
  aborted = false;
  #answer!: (response: TransportResponse) => void;

  constructor(readonly request: TransportRequest & { readonly bidirectional?: boolean }) {
    this.done = new Promise((resolve) => (this.#answer = resolve));
  }

  /** Only the first answer counts. */
  answer(status: number, sense: Uint8Array = new Uint8Array(), dataIn: Uint8Array = new Uint8Array()): void {
    this.#answer({ status, sense, dataIn });
  }
}
