import { writeUint16, writeUint32, writeUint64 } from './big-endian.js';
import type { CommandDefinition } from './command-definition.js';
import { copyDescriptor, copyLimits, tokenLimits } from './copy-limits.js';
import { rodType } from './copy-token.js';
import { opcode } from './opcode.js';
import type { Unit } from './unit.js';

/** Third-party copy descriptor type codes (SPC-4 table 645). */
const descriptorType = {
  blockDeviceRodLimits: 0x0000,
  supportedCommands: 0x0001,
  parameterData: 0x0004,
  supportedDescriptors: 0x0008,
  supportedCscdIds: 0x000c,
  rodTokenFeatures: 0x0106,
  supportedRodTypes: 0x0108,
  generalCopyOperations: 0x8001,
} as const;

/** A descriptor: `length` bytes after its header, filled by `fill`, whose offsets count from the descriptor's start. */
function descriptor(type: number, length: number, fill: (bytes: Uint8Array) => void): Uint8Array {
  const bytes = new Uint8Array(4 + Math.ceil(length / 4) * 4);
  writeUint16(bytes, 0, type);
  writeUint16(bytes, 2, bytes.length - 4);
  fill(bytes);
  return bytes;
}

/** SBC-3 6.6.6.3: limits of POPULATE TOKEN and WRITE USING TOKEN, in blocks and seconds. */
function blockDeviceRodLimits({ blockSize }: Unit): Uint8Array {
  return descriptor(descriptorType.blockDeviceRodLimits, 0x20, (bytes) => {
    writeUint16(bytes, 10, tokenLimits.ranges);
    writeUint32(bytes, 12, tokenLimits.maximumTimeout);
    writeUint32(bytes, 16, tokenLimits.defaultTimeout);
    writeUint64(bytes, 20, tokenLimits.bytes / blockSize);
    writeUint64(bytes, 28, tokenLimits.optimalBytes / blockSize);
  });
}

function serviceActions(definitions: readonly CommandDefinition[], operationCode: number): number[] {
  const actions = definitions.filter((definition) => definition.opcode === operationCode);
  return actions.map(({ serviceAction = 0 }) => serviceAction).sort((a, b) => a - b);
}

/** SPC-4 7.8.17.4. */
function supportedCommands({ commands: { definitions } }: Unit): Uint8Array {
  const list = [opcode.thirdPartyCopyOut, opcode.thirdPartyCopyIn].flatMap((operationCode) => {
    const actions = serviceActions(definitions, operationCode);
    return [operationCode, actions.length, ...actions];
  });
  return descriptor(descriptorType.supportedCommands, 1 + list.length, (bytes) => {
    bytes[4] = list.length;
    bytes.set(list, 5);
  });
}

/** SPC-4 7.8.17.5: the limits of EXTENDED COPY. */
function parameterData(): Uint8Array {
  return descriptor(descriptorType.parameterData, 0x1c, (bytes) => {
    writeUint16(bytes, 8, copyLimits.targets);
    writeUint16(bytes, 10, copyLimits.segments);
    writeUint32(bytes, 12, copyLimits.descriptorBytes);
  });
}

/** SPC-4 7.8.17.6. */
function supportedDescriptors(): Uint8Array {
  const codes = Object.values(copyDescriptor);
  return descriptor(descriptorType.supportedDescriptors, 1 + codes.length, (bytes) => {
    bytes[4] = codes.length;
    bytes.set(codes, 5);
  });
}

/** SPC-4 7.8.17.7: none but the indices of CSCD descriptors. */
function supportedCscdIds(): Uint8Array {
  return descriptor(descriptorType.supportedCscdIds, 4, () => undefined);
}

/** SPC-4 7.8.17.8. REMOTE TOKENS 0: tokens of this target device only. */
function rodTokenFeatures(): Uint8Array {
  return descriptor(descriptorType.rodTokenFeatures, 44 + 48, (bytes) => {
    writeUint32(bytes, 16, 1);
    writeUint32(bytes, 20, tokenLimits.maximumTimeout);
    writeUint32(bytes, 24, tokenLimits.maximumTimeout);
    writeUint16(bytes, 46, 48);
    // Block ROD device type specific features: of peripheral device type 0, format 0.
    writeUint16(bytes, 50, 0x2c);
    writeUint64(bytes, 56, tokenLimits.bytes);
    writeUint64(bytes, 64, tokenLimits.optimalBytes);
    writeUint64(bytes, 72, tokenLimits.optimalBytes);
    writeUint64(bytes, 80, tokenLimits.optimalBytes);
  });
}

/** SPC-4 7.8.17.9. */
function supportedRodTypes(): Uint8Array {
  const [tokenOut, tokenIn] = [0x01, 0x02];
  const types: readonly (readonly [type: number, flags: number])[] = [
    [rodType.pointInTimeChangeVulnerable, tokenOut | tokenIn],
    [rodType.blockDeviceZero, tokenIn],
  ];
  return descriptor(descriptorType.supportedRodTypes, 4 + 64 * types.length, (bytes) => {
    writeUint16(bytes, 6, 64 * types.length);
    types.forEach(([type, flags], index) => {
      writeUint32(bytes, 8 + 64 * index, type);
      bytes[8 + 64 * index + 4] = flags;
      writeUint16(bytes, 8 + 64 * index + 6, index + 1);
    });
  });
}

/** SPC-4 7.8.17.10. */
function generalCopyOperations(): Uint8Array {
  return descriptor(descriptorType.generalCopyOperations, 0x20, (bytes) => {
    writeUint32(bytes, 4, copyLimits.concurrent);
    writeUint32(bytes, 8, copyLimits.concurrent);
    writeUint32(bytes, 12, copyLimits.segmentBytes);
  });
}

/** The third-party copy VPD page, 8Fh (SPC-4 7.8.17): its descriptors, without the page's header. */
export function thirdPartyCopyPage(unit: Unit): Uint8Array {
  const descriptors = [
    blockDeviceRodLimits(unit),
    supportedCommands(unit),
    parameterData(),
    supportedDescriptors(),
    supportedCscdIds(),
    rodTokenFeatures(),
    supportedRodTypes(),
    generalCopyOperations(),
  ];
  const page = new Uint8Array(descriptors.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const bytes of descriptors) {
    page.set(bytes, at);
    at += bytes.length;
  }
  return page;
}
