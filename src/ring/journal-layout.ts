/*
 * Where things are in a journal, in words of 4 bytes. Journals do not outlive a boot, and one of another version
 * is not read: the layout may change with MAGIC.
 */

/** `LuJ1` */
export const MAGIC = 0x314a754c;

export const word = {
  magic: 0,
  /** Bytes of the command ring. */
  ringSize: 1,
  /** Chunks of the area for saved entries. */
  chunks: 2,
  /** Offset of the first entry that holds no response yet. */
  tail: 4,
  /** The tail that the kernel was told, and the one before it: of the two it has one. */
  published: 5,
  publishedBefore: 6,
  /** Not 0 while an entry that found no room in the journal is overwritten and its command unfinished. */
  incomplete: 7,
  /**
   * Offset of the entry that the last recorded response is for, with PLAIN or SECOND; or NONE. The response is in one
   * of two records, so that what is known of the last one stays true while the next one is written.
   */
  slot: 15,
  redo: 16,
  secondRedo: 56,
  /** What the journal belongs to: a length in bytes, then the text. */
  identity: 128,
  headerSize: 256,
} as const;

export const MAX_IDENTITY = (word.headerSize - word.identity - 1) * 4;

/** A redo record: a response. */
export const redo = {
  commandId: 1,
  userFlags: 2,
  status: 3,
  readLength: 4,
  /** Offset of the finished command's own entry, or NONE where that was overwritten and saved. */
  position: 5,
  /** The chunk at which the finished command's own entry was saved, and its sequence number; or NONE. */
  chunk: 6,
  sequence: 7,
  /** Bytes; NONE where none was given. */
  senseLength: 8,
  sense: 9,
} as const;

export const NONE = -1;

/** Flags in word.slot: entries are aligned to 8 bytes. Status 0 and nothing else, for the entry's own command. */
export const PLAIN = 1;
/** The record at word.secondRedo, not that at word.redo. */
export const SECOND = 2;

/** Two marks for each 8 bytes of the ring, by the entry that begins there. */
export const mark = {
  /** Its command has its response already, in an entry before it. */
  finished: 1,
  /** Its command must not be run again. */
  started: 2,
} as const;

/** Entries by their marks' word. */
export const MARKS_SHIFT = 7;

/** Bytes that are allotted to saved entries at a time. */
export const CHUNK = 256;

/** The words before the copy of a saved entry. */
export const saved = { position: 0, length: 1, started: 2, headerSize: 4 } as const;
