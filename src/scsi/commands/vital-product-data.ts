import { writeUint16, writeUint32, writeUint64 } from '../big-endian.js';
import { deviceType } from '../command-definition.js';
import type { Nexus, TargetPort } from '../command.js';
import { portDesignators, portNameDesignator, unitDesignators } from '../designators.js';
import { ascii } from '../text.js';
import { thirdPartyCopyPage } from '../third-party-copy-page.js';
import { hasWriteCache, type Unit } from '../unit.js';
import { maxAtomicBlocks } from './block-atomic.js';

/** VPD page codes (SPC-4 table 589). */
export const vpdPage = {
  supportedPages: 0x00,
  unitSerialNumber: 0x80,
  deviceIdentification: 0x83,
  extendedInquiry: 0x86,
  modePagePolicy: 0x87,
  scsiPorts: 0x88,
  thirdPartyCopy: 0x8f,
  blockLimits: 0xb0,
  blockDeviceCharacteristics: 0xb1,
  logicalBlockProvisioning: 0xb2,
} as const;

const MAX_SERIAL = 254;

/** What the transports here carry: TCMU has room for 96 bytes. */
const MAX_SENSE_LENGTH = 96;

function deviceIdentification({ identity }: Unit, nexus: Nexus | undefined): number[] {
  return [...unitDesignators(identity), ...(nexus?.port ? portDesignators(nexus.port) : [])];
}

/** Extended INQUIRY data (SPC-4 7.8.7). */
function extendedInquiry({ disk }: Unit): Uint8Array {
  const data = new Uint8Array(0x3c);
  data[1] = 0x07; // HEADSUP, ORDSUP, SIMPSUP: task attributes
  data[2] = hasWriteCache(disk) ? 0x01 : 0; // V_SUP: volatile cache
  data[9] = MAX_SENSE_LENGTH;
  return data;
}

/** Mode page policy (SPC-4 7.8.10): each page and subpage is shared by all initiators. */
function modePagePolicy(): number[] {
  return [0x3f, 0xff, 0x00, 0];
}

function knownPorts({ portGroups }: Unit, nexus: Nexus | undefined): readonly TargetPort[] {
  const ports = portGroups?.ports ?? [];
  return ports.length > 0 ? ports : nexus?.port ? [nexus.port] : [];
}

/** SCSI ports (SPC-4 7.8.14): the target's ports with their names. No initiator ports. */
function scsiPorts(unit: Unit, nexus: Nexus | undefined): number[] | undefined {
  const ports = knownPorts(unit, nexus);
  if (ports.length === 0) return undefined;
  return ports.flatMap((port) => {
    const name = portNameDesignator(port);
    const data = new Uint8Array(12);
    writeUint16(data, 2, port.relativeId);
    writeUint16(data, 10, name.length);
    return [...data, ...name];
  });
}

/** Block limits (SBC-3 6.6.4). The page's bytes after its header. */
function blockLimits(unit: Unit): Uint8Array {
  const { disk, blockSize, limits } = unit;
  const data = new Uint8Array(0x3c);
  const inBlocks = (bytes = 0): number => Math.min(0xffff_ffff, Math.floor(bytes / blockSize));
  data[0] = limits.writeSameToEnd ? 0 : 1; // WSNZ
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
function logicalBlockProvisioning({ disk, thresholds }: Unit): Uint8Array {
  const data = new Uint8Array(4);
  data[0] = thresholds?.exponent ?? 0;
  if (disk.unmap) {
    // LBPU, LBPWS and LBPWS10: UNMAP and both WRITE SAME can deallocate.
    data[1] = 0xe0 | (disk.unmapReadsZeroes === false ? 0 : 0x04);
    data[2] = 0x02; // thin provisioned
  }
  return data;
}

/** A page's bytes after its header; undefined where this unit does not have it. */
type Page = (unit: Unit, nexus: Nexus | undefined) => ArrayLike<number> | undefined;

function supportedPages(unit: Unit, nexus: Nexus | undefined): number[] {
  return [...pages.entries()]
    .filter(([code, page]) => code === vpdPage.supportedPages || page(unit, nexus) !== undefined)
    .map(([code]) => code);
}

/** In ascending order. */
const pages: ReadonlyMap<number, Page> = new Map<number, Page>([
  [vpdPage.supportedPages, supportedPages],
  [vpdPage.unitSerialNumber, ({ identity }) => ascii(identity.serial().slice(0, MAX_SERIAL))],
  [vpdPage.deviceIdentification, deviceIdentification],
  [vpdPage.extendedInquiry, extendedInquiry],
  [vpdPage.modePagePolicy, modePagePolicy],
  [vpdPage.scsiPorts, scsiPorts],
  [vpdPage.thirdPartyCopy, thirdPartyCopyPage],
  [vpdPage.blockLimits, blockLimits],
  [vpdPage.blockDeviceCharacteristics, blockDeviceCharacteristics],
  [vpdPage.logicalBlockProvisioning, logicalBlockProvisioning],
]);

/**
 * A whole VPD page, or undefined where the unit does not have it.
 * @param nexus through whose port it is asked for
 */
export function vitalProductData(unit: Unit, code: number, nexus?: Nexus): Uint8Array | undefined {
  const content = pages.get(code)?.(unit, nexus);
  if (!content) return undefined;
  const data = new Uint8Array(4 + content.length);
  data[0] = deviceType.directAccess;
  data[1] = code;
  writeUint16(data, 2, content.length);
  data.set(content, 4);
  return data;
}
