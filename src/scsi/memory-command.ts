import type { DataBuffer, MutableCommandContext, Nexus, ScsiCommand, TaskAttribute } from './command.js';

export interface ExecuteOptions {
  /** The I_T nexus it comes over. */
  readonly nexus?: Nexus;
  /** Bytes of Data-In there is room for. Default 64 KiB. */
  readonly dataInLength?: number;
  /** Aborts the command. */
  readonly signal?: AbortSignal;
  /** Task attribute. Default simple. */
  readonly attribute?: TaskAttribute;
}

/** How a command ended. */
export interface Response {
  /** SAM-5 status code. */
  readonly status: number;
  /** Sense data with CHECK CONDITION; else empty. */
  readonly sense: Uint8Array;
  /** The valid bytes of Data-In. */
  readonly dataIn: Uint8Array;
}

const DEFAULT_DATA_IN = 64 * 1024;

function oneSegment(bytes: Uint8Array): DataBuffer {
  return { segments: bytes.length > 0 ? [bytes] : [], byteLength: bytes.length };
}

/** A command whose data are in memory of its own, for callers without a transport. */
export class MemoryCommand implements ScsiCommand {
  readonly cdb: Uint8Array;
  readonly cdbLength: number;
  transferLength = 0;
  readonly dataOut: DataBuffer;
  readonly dataIn: DataBuffer;
  readonly context: MutableCommandContext;
  readonly response: Promise<Response>;
  readonly attribute?: TaskAttribute;
  readonly #controller = new AbortController();
  #respond!: (response: Response) => void;

  /** @throws RangeError for a CDB that is empty or longer than 260 bytes */
  constructor(
    cdb: Uint8Array,
    dataOut: Uint8Array = new Uint8Array(),
    { dataInLength, signal, attribute }: ExecuteOptions = {},
  ) {
    if (cdb.length === 0 || cdb.length > 260) {
      throw new RangeError(`a CDB has 1 to 260 bytes, not ${cdb.length}`);
    }
    // Decoders read past the end of a truncated CDB before its length is looked at.
    this.cdb = new Uint8Array(260);
    this.cdb.set(cdb);
    this.cdbLength = cdb.length;
    this.dataOut = oneSegment(dataOut);
    this.dataIn = oneSegment(new Uint8Array(dataInLength ?? DEFAULT_DATA_IN));
    this.attribute = attribute;
    const own = this.#controller.signal;
    this.context = { fua: false, dpo: false, signal: signal ? AbortSignal.any([signal, own]) : own };
    this.response = new Promise((resolve) => (this.#respond = resolve));
  }

  abort(reason: Error): void {
    this.#controller.abort(reason);
  }

  complete(status: number, sense: Uint8Array = new Uint8Array(), readLength?: number): void {
    const valid = status === 0 ? (readLength ?? 0) : 0;
    const [segment = new Uint8Array()] = this.dataIn.segments;
    this.#respond({ status, sense: sense.slice(), dataIn: segment.slice(0, valid) });
  }
}
