/*
 * The TCMU shared-memory ABI, version 2 (uapi/linux/target_core_user.h of Linux 6.1). Numbers are byte
 * offsets on a 64-bit little-endian kernel; native/tcmu-abi.h asserts the same layout at compile time.
 */

/** struct tcmu_mailbox, at the start of the region. */
export const mailbox = {
  version: 0, // u16
  flags: 2, // u16
  ringOffset: 4, // u32 cmdr_off
  ringSize: 8, // u32 cmdr_size
  head: 12, // u32 cmd_head, written by the kernel
  tail: 64, // u32 cmd_tail, written by us, on a cache line of its own
  size: 128,
} as const;

export const MAILBOX_VERSION = 2;

export const mailboxFlag = {
  outOfOrder: 1 << 0,
  readLength: 1 << 1,
  taskManagement: 1 << 2,
  keepBuffer: 1 << 3,
} as const;

/** struct tcmu_cmd_entry_hdr, 8 bytes, at the start of every entry. */
export const header = {
  lengthAndOp: 0, // u32; the low 3 bits are the op, the rest the entry's length in bytes
  commandId: 4, // u16
  kernelFlags: 6, // u8
  userFlags: 7, // u8
  size: 8,
} as const;

export const OP_MASK = 0x7;
/** Entry lengths are multiples of this many bytes. */
export const OP_ALIGN = 8;

export const op = { pad: 0, command: 1, taskManagement: 2 } as const;

export const userFlag = { unknownOp: 0x1, readLength: 0x2, keepBuffer: 0x4 } as const;

/** The request half of struct tcmu_cmd_entry. The response overlays it: read everything before answering. */
export const request = {
  iovCount: 8, // u32
  bidiIovCount: 12, // u32
  difIovCount: 16, // u32, never set by the kernel
  cdbOffset: 24, // u64, from the start of the region
  iov: 48, // struct iovec[]: u64 base (from the start of the region), u64 length
  iovSize: 16,
} as const;

/** The response half of struct tcmu_cmd_entry. */
export const response = {
  scsiStatus: 8, // u8
  readLength: 12, // u32
  sense: 16, // u8[96]
  senseSize: 96,
} as const;

/** sizeof(struct tcmu_cmd_entry): no command entry is shorter. */
export const COMMAND_ENTRY_MIN = 112;

/** struct tcmu_tmr_entry. */
export const tmr = {
  type: 8, // u8
  commandCount: 12, // u32
  commandIds: 32, // u16[]
} as const;

/** enum tcmu_tmr_type. */
export const tmrType = {
  unknown: 0,
  abortTask: 1,
  abortTaskSet: 2,
  clearAca: 3,
  clearTaskSet: 4,
  lunReset: 5,
  targetWarmReset: 6,
  targetColdReset: 7,
  lunResetPersistentReservation: 128,
} as const;

/** Command ids are 1..0xffff; PAD entries carry 0. */
export const MAX_COMMAND_ID = 0xffff;
