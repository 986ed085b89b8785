import { native } from '../../dist/native/addon.js';
import { mailbox, mailboxFlag, MAILBOX_VERSION } from '../../dist/ring/abi.js';

/** As the kernel has them by default: mailbox and ring in 8 MiB. */
const RING_BYTES = 8 * 2 ** 20 - mailbox.size;

/** The kernel's own limit is 1 GiB; nothing here has more than this in flight. */
const DATA_BYTES = 256 * 2 ** 20;

/** A region as target_core_user sets it up, over memory and two eventfds. */
export function createRegion() {
  const region = new (native().MemoryRegion)(mailbox.size + RING_BYTES + DATA_BYTES);
  const view = new DataView(region.buffer);
  const { outOfOrder, readLength, taskManagement, keepBuffer } = mailboxFlag;
  view.setUint16(mailbox.version, MAILBOX_VERSION, true);
  view.setUint16(mailbox.flags, outOfOrder | readLength | taskManagement | keepBuffer, true);
  view.setUint32(mailbox.ringOffset, mailbox.size, true);
  view.setUint32(mailbox.ringSize, RING_BYTES, true);
  return region;
}
