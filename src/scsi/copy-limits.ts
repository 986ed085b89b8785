/*
 * What the copy manager accepts. Told in RECEIVE COPY OPERATING PARAMETERS and in the third-party copy VPD page,
 * which must agree (SPC-4 6.22), and enforced.
 */

const MIB = 1024 * 1024;

/** EXTENDED COPY(LID1). Lengths in bytes. */
export const copyLimits = {
  /** CSCD descriptors of one list. */
  targets: 16,
  /** Segment descriptors of one list. */
  segments: 64,
  /** CSCD and segment descriptors together. */
  descriptorBytes: 2560,
  /** What one segment descriptor may write. */
  segmentBytes: 16 * MIB,
  /** Copy operations that run at the same time in one copy manager: each holds a buffer. */
  concurrent: 16,
  /** Bytes moved at a time. A multiple of every block size. */
  chunkBytes: MIB,
} as const;

/** The token commands (SBC-3 4.28). */
export const tokenLimits = {
  /** Block device range descriptors of one list. */
  ranges: 64,
  /** Bytes that one token stands for, and that one WRITE USING TOKEN writes. */
  bytes: 256 * MIB,
  /** Bytes that take about as long as a command should. */
  optimalBytes: 64 * MIB,
  /** Seconds of INACTIVITY TIMEOUT, where the command names none. */
  defaultTimeout: 60,
  /** Seconds. */
  maximumTimeout: 3600,
  /** Tokens remembered; the oldest makes room. */
  remembered: 256,
} as const;

/** CSCD and segment descriptor type codes (SPC-4 table 129), ascending. */
export const copyDescriptor = {
  blockToBlock: 0x02,
  blockToBlockWithOffset: 0x0a,
  identification: 0xe4,
} as const;
