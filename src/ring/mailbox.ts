import { mailbox, mailboxFlag, MAILBOX_VERSION, OP_ALIGN } from './abi.js';
import { uint16At } from './entry-parser.js';
import { badMailbox } from './ring-error.js';

/** What the mailbox says when the region is opened. Ring and tail were checked; bytes. */
export interface Mailbox {
  /** Of `mailboxFlag`. */
  readonly flags: number;
  /** From the start of the region. */
  readonly ringOffset: number;
  readonly ringSize: number;
  /** In the ring. */
  readonly tail: number;
}

/**
 * @param bytes the region, at least as long as a mailbox
 * @param words the same memory
 * @throws RingError where it is no mailbox of version 2, or contradicts the region's size
 */
export function readMailbox(bytes: Uint8Array, words: Uint32Array): Mailbox {
  const version = uint16At(bytes, mailbox.version);
  const flags = uint16At(bytes, mailbox.flags);
  const ringOffset = words[mailbox.ringOffset >> 2];
  const ringSize = words[mailbox.ringSize >> 2];
  const tail = words[mailbox.tail >> 2];
  if (version !== MAILBOX_VERSION) {
    throw badMailbox(`the kernel speaks version ${version} of the TCMU ABI, not ${MAILBOX_VERSION}`);
  }
  if ((flags & mailboxFlag.outOfOrder) === 0) {
    throw badMailbox('the kernel takes no completions out of order (Linux 4.6 and later do)');
  }
  if (
    ringOffset < mailbox.size ||
    ringSize === 0 ||
    (ringOffset | ringSize) % OP_ALIGN !== 0 ||
    ringOffset + ringSize > bytes.length
  ) {
    throw badMailbox(`a ring of ${ringSize} bytes at ${ringOffset} is not inside ${bytes.length} bytes`);
  }
  if (tail >= ringSize || tail % OP_ALIGN !== 0) {
    throw badMailbox(`tail ${tail} is no entry of a ring of ${ringSize} bytes`);
  }
  return { flags, ringOffset, ringSize, tail };
}
