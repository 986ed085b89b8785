import type { Nexus } from '../../../src/scsi/command.js';

/** The TransportID of an iSCSI initiator port (SPC-4 7.6.4.6). @param isid twelve hexadecimal digits */
export function iscsiTransportId(name: string, isid = '400001370000'): Uint8Array {
  const text = `${name},i,0x${isid}`;
  const length = Math.max(20, Math.ceil((text.length + 1) / 4) * 4);
  const transportId = new Uint8Array(4 + length);
  transportId.set([0x45, 0, length >> 8, length]);
  transportId.set(Buffer.from(text), 4);
  return transportId;
}

/** A session of an iSCSI initiator: each call makes another object, as each login does. */
export function iscsiNexus(name: string, relativeId = 1): Nexus {
  return {
    name,
    transportId: iscsiTransportId(name),
    port: { relativeId, group: 1, name: `iqn.test:target,t,0x${relativeId.toString(16).padStart(4, '0')}` },
  };
}
