/*
 * What a logical unit asks of the thing that stores its blocks. Handlers implement it, layers wrap it, and
 * lunette/scsi can be used with any object of this shape.
 */

/** A verb is done when it returns, or when the promise it returns settles. A synchronous answer is never awaited. */
export type Done = void | Promise<void>;

/** Given to every verb; valid until the verb is done. */
export interface CommandContext {
  /** Force unit access: the data must be on stable storage when the verb is done. */
  readonly fua: boolean;
  /** Disable page out: the data is not worth caching. A hint. */
  readonly dpo: boolean;
  /** Aborted when the initiator aborts the command (ABORT TASK, LUN RESET) or when it runs out of time. */
  readonly signal: AbortSignal;
}

/** A run of blocks in one state, in bytes. */
export interface Extent {
  offset: number;
  length: number;
  /** A hole has no storage of its own and reads as zeroes. */
  hole: boolean;
}

/** A command of the handler's own: an opcode the command table does not have. */
export interface VendorCommand {
  /** C0h to FFh, or 20h and up where no standard command has it. */
  readonly opcode: number;
  /** As REPORT SUPPORTED OPERATION CODES tools print it: `LUNETTE PING`. */
  readonly name: string;
  /** CDB usage map (SPC-4 6.35.3): as many bytes as the CDB has, a bit set where the field is read. */
  readonly usage: readonly number[];
  readonly direction: 'none' | 'in' | 'out';
}

/** A disk: bytes at offsets. Offsets and lengths are bytes, multiples of `blockSize`, inside `size`. */
export interface Disk {
  /** Capacity in bytes, a multiple of blockSize. */
  readonly size: number;
  /** Logical block length in bytes: a power of two from 512 to 65536. Default 512. */
  readonly blockSize?: number;
  /** Physical block length in bytes, at least blockSize. Default blockSize. */
  readonly physicalBlockSize?: number;
  /** True refuses every write with DATA PROTECT. A disk without `write` is read-only as well. */
  readonly readOnly?: boolean;
  /** True for a medium with seek times. Default false. */
  readonly rotational?: boolean;
  /** True where `write` may return before the data is stable; `flush` then makes it so. Default: has `flush`. */
  readonly writeCache?: boolean;
  /** True where `write` and `writev` look at `context.fua` themselves; otherwise a flush follows a FUA write. */
  readonly nativeFua?: boolean;
  /** Smallest transfer without a penalty, and the best one, in bytes. For VPD page B0h. */
  readonly minimumIoSize?: number;
  readonly optimalIoSize?: number;
  /** Allocation unit of `unmap` in bytes. Default blockSize. */
  readonly unmapGranularity?: number;
  /**
   * Bytes that one `write` stores wholly or not at all, also over a loss of power; a multiple of blockSize. Its
   * presence gives the unit WRITE ATOMIC(16). Default: not promised.
   */
  readonly atomicWriteSize?: number;
  /** True where unmapped bytes read as zeroes (LBPRZ). Default true. */
  readonly unmapReadsZeroes?: boolean;
  /** The handler's own commands; each is run by `command`. */
  readonly vendorCommands?: readonly VendorCommand[];

  /** Fill `buffer` from `offset`. One SCSI command may come as several calls, one for each piece of its buffer. */
  read(buffer: Uint8Array, offset: number, context: CommandContext): Done;
  /** Store `buffer` at `offset`. */
  write?(buffer: Uint8Array, offset: number, context: CommandContext): Done;
  /** Make everything written before stable. */
  flush?(context: CommandContext): Done;
  /** Deallocate. Its presence makes the unit thin provisioned. */
  unmap?(offset: number, length: number, context: CommandContext): Done;
  /** Zeroes from offset. `mayUnmap` allows a hole. Default: by writing. */
  writeZeroes?(offset: number, length: number, mayUnmap: boolean, context: CommandContext): Done;
  /** As read and write, for all pieces of a command in one call; the pieces follow each other on the disk. */
  readv?(buffers: readonly Uint8Array[], offset: number, context: CommandContext): Done;
  writev?(buffers: readonly Uint8Array[], offset: number, context: CommandContext): Done;
  /**
   * Bytes of storage in use, and bytes that can still be allocated: of what lies below, where the disk shares it.
   * A thin provisioned disk that has it reports thresholds (SBC-3 4.7.3.7). Called after writes: must be cheap.
   */
  usage?(): { used: number; available: number };
  /** Which parts of a range are holes; sorted, without gaps, covering at least the first byte asked for. */
  extents?(offset: number, length: number, context: CommandContext): Extent[] | Promise<Extent[]>;
  /** Atomically: compare, and where equal, write. Return the offset of the first differing byte, or -1 when written. */
  compareAndWrite?(
    compare: Uint8Array,
    write: Uint8Array,
    offset: number,
    context: CommandContext,
  ): number | Promise<number>;
  /**
   * Throw away the key under which the medium is encrypted, so that nothing on it can be read again. For SANITIZE,
   * CRYPTOGRAPHIC ERASE. What is read afterwards is anything at all.
   */
  cryptoErase?(context: CommandContext): Done;
  /** The size was changed from outside (targetcli, a control command), in bytes. Refuse by throwing. */
  resize?(size: number): Done;
  /**
   * Run one of `vendorCommands`.
   * @returns bytes of dataIn that are valid
   */
  command?(
    cdb: Uint8Array,
    dataOut: Uint8Array,
    dataIn: Uint8Array,
    context: CommandContext,
  ): number | Promise<number>;
  /** No verb runs any more; release everything. */
  close?(): Done;
}
