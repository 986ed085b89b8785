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
  /** The response being written: see `redo`. */
  redo: 16,
  /** What the journal belongs to: a length in bytes, then the text. */
  identity: 64,
  headerSize: 256,
} as const;

export const MAX_IDENTITY = (word.headerSize - word.identity - 1) * 4;

/** The redo record, relative to word.redo. */
export const redo = {
  /** Offset of the entry it is for, with PLAIN where status 0 and nothing else is all of it; else NONE. */
  slot: 0,
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
/** Entries are aligned to 8 bytes, so an offset has room for it. */
export const PLAIN = 1;

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
