import { writeUint16, writeUint32, writeUint64 } from '../big-endian.js';
import { deviceType } from '../command-definition.js';
import { ascii, padded } from '../text.js';
import { thirdPartyCopyPage } from '../third-party-copy-page.js';
import type { Unit } from '../unit.js';
import { maxAtomicBlocks } from './block-atomic.js';

/** VPD page codes (SPC-4 table 589). */
export const vpdPage = {
  supportedPages: 0x00,
  unitSerialNumber: 0x80,
  deviceIdentification: 0x83,
  thirdPartyCopy: 0x8f,
  blockLimits: 0xb0,
  blockDeviceCharacteristics: 0xb1,
  logicalBlockProvisioning: 0xb2,
} as const;

const MAX_SERIAL = 254;

/** Code set and designator type (SPC-4 7.8.6), associated with the logical unit. */
const designator = { t10VendorId: [0x02, 0x01], naa: [0x01, 0x03] } as const;

/** 00-14-05h: what LIO uses for its own backstores. */
const LIO_COMPANY_ID = '001405';

/** 64 bits of FNV-1a: spreads serial numbers that are not hexadecimal. */
function hash(text: string): string {
  let value = 0xcbf29ce484222325n;
  for (const byte of ascii(text)) value = BigInt.asUintN(64, (value ^ BigInt(byte)) * 0x100000001b3n);
  return value.toString(16).padStart(16, '0');
}

/**
 * A world wide name, NAA 6h, from the serial number: as LIO makes it of a UUID, so that a disk keeps its name
 * when it moves from another backstore. A serial number with few hexadecimal digits is hashed.
 */
function worldWideName(serial: string): Uint8Array {
  const digits = serial.replace(/[^0-9a-f]/gi, '').toLowerCase();
  const vendorSpecific = (digits.length >= 16 ? digits : hash(serial)).padEnd(25, '0').slice(0, 25);
  const name = `6${LIO_COMPANY_ID}${vendorSpecific}`;
  return Uint8Array.from(name.match(/../g)!, (pair) => parseInt(pair, 16));
}

function descriptor([codeSet, type]: readonly [number, number], value: Uint8Array): number[] {
  return [codeSet, type, 0, value.length, ...value];
}

function deviceIdentification({ identity }: Unit): number[] {
  const serial = identity.serial();
  const vendorText = [...padded(identity.vendor, 8), ...ascii(`${identity.product.trim()}:${serial}`)];
  return [
    ...descriptor(designator.naa, worldWideName(serial)),
    ...descriptor(designator.t10VendorId, Uint8Array.from(vendorText.slice(0, 0xff))),
  ];
}

/** Block limits (SBC-3 6.6.4). The page's bytes after its header. */
function blockLimits(unit: Unit): Uint8Array {
  const { disk, blockSize, limits } = unit;
  const data = new Uint8Array(0x3c);
  const inBlocks = (bytes = 0): number => Math.min(0xffff_ffff, Math.floor(bytes / blockSize));
  data[0] = 0x01; // WSNZ: WRITE SAME needs a number of blocks
  data[1] = limits.maxCompareAndWriteBlocks;
  writeUint16(data, 2, Math.min(0xffff, inBlocks(disk.minimumIoSize ?? disk.physicalBlockSize)));
  writeUint32(data, 4, limits.maxTransferBlocks);
  writeUint32(data, 8, Math.min(limits.maxTransferBlocks, inBlocks(disk.optimalIoSize)));
  if (disk.unmap) {
    writeUint32(data, 16, limits.maxUnmapBlocks);
    writeUint32(data, 20, limits.maxUnmapDescriptors);
    writeUint32(data, 24, Math.max(1, inBlocks(disk.unmapGranularity ?? blockSize)));
    writeUint32(data, 28, 0x8000_0000); // UGAVALID, alignment 0
  }
  writeUint64(data, 32, limits.maxWriteSameBlocks);
  const atomic = maxAtomicBlocks(unit);
  writeUint32(data, 40, atomic);
  if (atomic > 0) writeUint32(data, 48, 1); // any number of blocks, at any address
  return data;
}

/** Block device characteristics (SBC-3 6.6.3). */
function blockDeviceCharacteristics({ disk }: Unit): Uint8Array {
  const data = new Uint8Array(0x3c);
  writeUint16(data, 0, disk.rotational ? 0 : 1); // 0: not reported, 1: does not rotate
  // WABEREQ and WACEREQ: blocks can be read after they were erased.
  data[3] = (disk.unmap ? 0x40 : 0) | (disk.cryptoErase ? 0x10 : 0);
  return data;
}

/** Logical block provisioning (SBC-3 6.6.5). */
function logicalBlockProvisioning({ disk }: Unit): Uint8Array {
  const data = new Uint8Array(4);
  if (disk.unmap) {
    // LBPU, LBPWS and LBPWS10: UNMAP and both WRITE SAME can deallocate.
    data[1] = 0xe0 | (disk.unmapReadsZeroes === false ? 0 : 0x04);
    data[2] = 0x02; // thin provisioned
  }
  return data;
}

/** The pages, in ascending order; each gives its bytes after the header. */
const pages: ReadonlyMap<number, (unit: Unit) => ArrayLike<number>> = new Map<
  number,
  (unit: Unit) => ArrayLike<number>
>([
  [vpdPage.supportedPages, () => [...pages.keys()]],
  [vpdPage.unitSerialNumber, ({ identity }) => ascii(identity.serial().slice(0, MAX_SERIAL))],
  [vpdPage.deviceIdentification, deviceIdentification],
  [vpdPage.thirdPartyCopy, thirdPartyCopyPage],
  [vpdPage.blockLimits, blockLimits],
  [vpdPage.blockDeviceCharacteristics, blockDeviceCharacteristics],
  [vpdPage.logicalBlockProvisioning, logicalBlockProvisioning],
]);

/** A whole VPD page, or undefined where the unit does not have it. */
export function vitalProductData(unit: Unit, code: number): Uint8Array | undefined {
  const content = pages.get(code)?.(unit);
  if (!content) return undefined;
  const data = new Uint8Array(4 + content.length);
  data[0] = deviceType.directAccess;
  data[1] = code;
  writeUint16(data, 2, content.length);
  data.set(content, 4);
  return data;
}
