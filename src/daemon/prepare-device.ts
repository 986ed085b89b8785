import { endsWithin } from '../device/patience.js';
import { Device } from '../device/device.js';
import type { DiskMaker } from '../handlers/contract.js';
import type { HandlerRegistry } from '../handlers/registry.js';
import { native } from '../native/addon.js';
import { header, mailbox, mailboxFlag, MAILBOX_VERSION, op, request } from '../ring/abi.js';
import { JournalMemory } from '../ring/journal-memory.js';
import { Journal } from '../ring/journal.js';
import { opcode } from '../scsi/opcode.js';
import { ConfigfsDevice } from '../target/configfs.js';
import type { TcmuDevice } from '../target/uio.js';
import type { Logger } from './log.js';
import { budget, diskOpener, type DeviceSettings } from './open-device.js';

/** Milliseconds for what is only of use. */
const PATIENCE = 2000;

const RING_SIZE = 64 * 1024;
const ENTRY_SIZE = 128;
const BLOCK_SIZE = 512;
const LITTLE = true;

/** Commands with a block of data each, as the kernel puts them on a ring. */
function fillRing(memory: ArrayBuffer, opcodes: readonly number[]): number {
  const view = new DataView(memory);
  view.setUint16(mailbox.version, MAILBOX_VERSION, LITTLE);
  view.setUint16(mailbox.flags, mailboxFlag.outOfOrder | mailboxFlag.readLength, LITTLE);
  view.setUint32(mailbox.ringOffset, mailbox.size, LITTLE);
  view.setUint32(mailbox.ringSize, RING_SIZE, LITTLE);
  opcodes.forEach((opcode, index) => {
    const entry = mailbox.size + index * ENTRY_SIZE;
    const cdb = entry + ENTRY_SIZE - 16;
    view.setUint32(entry + header.lengthAndOp, ENTRY_SIZE | op.command, LITTLE);
    view.setUint16(entry + header.commandId, index + 1, LITTLE);
    view.setUint32(entry + request.iovCount, 1, LITTLE);
    view.setBigUint64(entry + request.cdbOffset, BigInt(cdb), LITTLE);
    view.setBigUint64(entry + request.iov, BigInt(mailbox.size + RING_SIZE), LITTLE);
    view.setBigUint64(entry + request.iov + 8, BigInt(BLOCK_SIZE), LITTLE);
    view.setUint8(cdb, opcode);
    // One block, where the command is a read or write of ten bytes.
    view.setUint8(cdb + 8, opcode === 0 ? 0 : 1);
  });
  return opcodes.length * ENTRY_SIZE;
}

/** Serve some commands over memory, with a disk that holds nothing. */
async function serveSome(): Promise<void> {
  const region = new (native().MemoryRegion)(mailbox.size + RING_SIZE + BLOCK_SIZE);
  const head = fillRing(region.buffer, [opcode.testUnitReady, opcode.read10, opcode.write10, opcode.read10]);
  region.storeHead(head);
  const nothing = (): void => undefined;
  const device = new Device({
    name: 'none',
    region,
    disk: { size: 8 * BLOCK_SIZE, read: (buffer) => void buffer.fill(0), write: nothing, flush: nothing },
    log: { debug: nothing, info: nothing, warn: nothing, error: nothing },
    journal: {
      journal: new Journal(
        new JournalMemory(new ArrayBuffer(Journal.bytesFor(RING_SIZE))),
        RING_SIZE,
        'nothing to go on with',
      ),
      resetRing: nothing,
      close: nothing,
    },
  });
  device.start();
  await device.close(PATIENCE);
}

/**
 * Run once what opening and serving a device runs, so that its code is compiled when commands wait for it: the first
 * time takes several times as long as the second. Opens nothing of the device. Whatever goes wrong is said when it is
 * opened.
 */
export async function prepareDevice(
  tcmu: TcmuDevice,
  registry: HandlerRegistry<DiskMaker>,
  settings: DeviceSettings,
  log: Logger,
  given?: object,
): Promise<void> {
  const configfs = new ConfigfsDevice(tcmu);
  const handler = registry.get(tcmu.subtype);
  try {
    budget(settings, configfs);
    await serveSome();
    if (!handler) return;
    await endsWithin(PATIENCE, diskOpener(handler, tcmu.cfgstring, configfs, settings, log, given));
  } catch (error) {
    log.debug(`${tcmu.hba}/${tcmu.name}: not prepared: ${(error as Error).message}`);
  }
}
