/**
 * Where a ring lives: a mapped UIO device (native/uio-region.cc) or the emulator (lunette/testing). The
 * layout of `buffer` is that of uapi/linux/target_core_user.h: mailbox, command ring, data area.
 */
export interface RingRegion {
  /**
   * The region; offsets in ring entries count from its first byte. Where there is whole() it may be the beginning alone:
   * mailbox, command ring, and the data area's lowest blocks.
   */
  readonly buffer: ArrayBuffer;
  /** All of the region in one ArrayBuffer, from the same first byte on. */
  whole?(): ArrayBuffer;
  /** Of all of the region, in bytes. Default: that of `buffer`. */
  readonly size?: number;
  /** Views of all of `buffer` to read and write mailbox and ring with, where not any will do. */
  readonly views?: { readonly bytes: Uint8Array; readonly words: Uint32Array };
  /**
   * Where there is one: its one element is for the consumer to note the position up to which it has fetched entries.
   * A wake-up that finds cmd_head there has nothing to tell, and calls nobody.
   */
  readonly fetched?: Uint32Array;
  /** cmd_head with acquire semantics, as Atomics.load() of `buffer` gives it: a byte offset into the command ring. */
  loadHead(): number;
  /** Publish cmd_tail (a byte offset into the command ring) with release semantics. */
  storeTail(tail: number): void;
  /** Ring the doorbell: everything before the stored tail is complete. */
  kick(): void;
  /** storeTail() and kick(), where one call is cheaper than two. */
  publish?(tail: number): void;
  /**
   * Call back at each wake-up, from the event loop; the wake-up is consumed before the call. With an error the
   * region can no longer be waited on (its device was removed), and this was the last call.
   */
  onCommand(callback: (error?: Error) => void): void;
  /** Release the memory; `buffer` is detached where the platform can. Idempotent. */
  close(): void;
}
