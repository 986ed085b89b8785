import { writeUint16 } from './big-endian.js';
import type { TargetPort } from './command.js';
import { ascii, padded } from './text.js';
import type { UnitIdentity } from './unit.js';

/*
 * Designation descriptors: names of logical units, target ports and targets (SPC-4 7.8.6).
 */

const codeSet = { binary: 1, ascii: 2, utf8: 3 } as const;
const association = { logicalUnit: 0x00, targetPort: 0x10, targetDevice: 0x20 } as const;
const designatorType = {
  t10VendorId: 0x1,
  naa: 0x3,
  relativeTargetPort: 0x4,
  targetPortGroup: 0x5,
  scsiName: 0x8,
} as const;

/** PIV: the protocol identifier means something. */
const PROTOCOL_IDENTIFIER_VALID = 0x80;
const ISCSI = 0x5;

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

function descriptor(set: number, kind: number, value: ArrayLike<number>, protocol?: number): number[] {
  const first = set | ((protocol ?? 0) << 4);
  const second = kind | (protocol === undefined ? 0 : PROTOCOL_IDENTIFIER_VALID);
  return [first, second, 0, value.length, ...Array.from(value)];
}

/** UTF-8 with at least one null, a multiple of 4 bytes long (SPC-4 7.8.6.11). */
function nameString(text: string): Uint8Array {
  const bytes = new TextEncoder().encode(text).subarray(0, 0xf8);
  const value = new Uint8Array((bytes.length + 4) & ~3);
  value.set(bytes);
  return value;
}

/** Whether the name is an iSCSI one: of a target, `iqn.…`, or of its port, `iqn.…,t,0x0001`. */
export function isIscsiName(name: string): boolean {
  return /^(iqn|eui|naa)\./.test(name);
}

/** The names of a logical unit. */
export function unitDesignators(identity: UnitIdentity): number[] {
  const serial = identity.serial();
  const vendorText = [...padded(identity.vendor, 8), ...ascii(`${identity.product.trim()}:${serial}`)];
  return [
    ...descriptor(codeSet.binary, designatorType.naa, worldWideName(serial)),
    ...descriptor(codeSet.ascii, designatorType.t10VendorId, vendorText.slice(0, 0xff)),
  ];
}

/** The SCSI name string of a target port. */
export function portNameDesignator({ name }: TargetPort): number[] {
  const protocol = isIscsiName(name) ? ISCSI : undefined;
  const kind = association.targetPort | designatorType.scsiName;
  return descriptor(codeSet.utf8, kind, nameString(name), protocol);
}

/** The port a command came through: its number, its group, its name, and the name of the target it belongs to. */
export function portDesignators(port: TargetPort): number[] {
  const number = new Uint8Array(4);
  writeUint16(number, 2, port.relativeId);
  const group = new Uint8Array(4);
  writeUint16(group, 2, port.group);
  const protocol = isIscsiName(port.name) ? ISCSI : undefined;
  const { binary, utf8 } = codeSet;
  const { targetPort, targetDevice } = association;
  return [
    ...descriptor(binary, targetPort | designatorType.relativeTargetPort, number, protocol),
    ...descriptor(binary, targetPort | designatorType.targetPortGroup, group, protocol),
    ...portNameDesignator(port),
    ...(protocol === undefined
      ? []
      : descriptor(
          utf8,
          targetDevice | designatorType.scsiName,
          nameString(port.name.replace(/,t,.*$/, '')),
          protocol,
        )),
  ];
}
