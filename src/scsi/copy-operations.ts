import type { Nexus } from './command.js';
import { additionalSense, senseKey, SenseError } from './sense.js';

/** COPY OPERATION STATUS (SPC-4 table 249). */
export const copyStatus = {
  completed: 0x01,
  failed: 0x02,
  /** Fewer blocks were written than asked for: the token stood for no more. */
  partialToken: 0x03,
  foreground: 0x11,
  background: 0x12,
  terminated: 0x60,
} as const;

/** A third-party copy operation, running or ended, as the RECEIVE COPY commands tell of it. */
export class CopyOperation {
  status: number = copyStatus.foreground;
  /** Bytes written to the destination, in order. */
  bytes = 0;
  /** Reads and writes done: OPERATION COUNTER. */
  transfers = 0;
  /** Segment descriptors begun. */
  segments = 0;
  /** SAM-5 status code it ended with. */
  completion = 0;
  /** Sense data of the failure. */
  sense?: Uint8Array;
  /** The ROD token it made, 512 bytes. */
  token?: Uint8Array;

  /** @param serviceAction of THIRD-PARTY COPY OUT that began it */
  constructor(readonly serviceAction: number) {}

  get running(): boolean {
    return this.status === copyStatus.foreground || this.status === copyStatus.background;
  }
}

/** Operations whose results one I_T nexus can still ask for. */
const HELD = 64;

/**
 * Copy operations of one logical unit by I_T nexus and list identifier (SPC-4 5.17.4.2). EXTENDED COPY(LID1) has
 * identifiers of its own, of one byte; those of the other commands have four.
 */
export class CopyOperations {
  #byNexus = new WeakMap<Nexus, Map<string, CopyOperation>>();

  /**
   * A new operation takes the place of an ended one with the same list identifier.
   * @param width bytes of the list identifier: 1 or 4
   * @throws SenseError OPERATION IN PROGRESS where the identifier is in use
   */
  begin(nexus: Nexus, width: 1 | 4, listId: number, serviceAction: number): CopyOperation {
    const operations = this.#byNexus.get(nexus) ?? new Map<string, CopyOperation>();
    this.#byNexus.set(nexus, operations);
    const key = `${width}:${listId}`;
    if (operations.get(key)?.running) {
      throw new SenseError(
        senseKey.illegalRequest,
        additionalSense.operationInProgress,
        `list identifier ${listId} is in use`,
      );
    }
    const operation = new CopyOperation(serviceAction);
    operations.delete(key);
    operations.set(key, operation);
    for (const [old, { running }] of operations) {
      if (operations.size <= HELD) break;
      if (!running) operations.delete(old);
    }
    return operation;
  }

  find(nexus: Nexus, width: 1 | 4, listId: number): CopyOperation | undefined {
    return this.#byNexus.get(nexus)?.get(`${width}:${listId}`);
  }

  /** Forget an operation that ended: its results were fetched. */
  discard(nexus: Nexus, width: 1 | 4, listId: number): void {
    if (this.find(nexus, width, listId)?.running) return;
    this.#byNexus.get(nexus)?.delete(`${width}:${listId}`);
  }

  /** LOGICAL UNIT RESET: all results are discarded. */
  reset(): void {
    this.#byNexus = new WeakMap();
  }
}
