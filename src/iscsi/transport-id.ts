import { writeUint16 } from '../scsi/big-endian.js';

/** Protocol identifier 5h, TPID FORMAT 01b: an initiator port (SPC-4 7.6.4.6). */
const ISCSI_INITIATOR_PORT = 0x45;
/** An iSCSI TransportID has at least 24 bytes. */
const SHORTEST_NAME = 20;

/**
 * TransportID of an iSCSI initiator port: `name,i,0x` and the ISID in hexadecimal, ended by a zero and padded.
 * @param isid 6 bytes
 */
export function initiatorPortTransportId(name: string, isid: Uint8Array): Uint8Array {
  const text = Buffer.from(`${name},i,0x${Buffer.from(isid).toString('hex')}`, 'utf8');
  const length = Math.max(SHORTEST_NAME, (text.length + 1 + 3) & ~3);
  const transportId = new Uint8Array(4 + length);
  transportId[0] = ISCSI_INITIATOR_PORT;
  writeUint16(transportId, 2, length);
  transportId.set(text, 4);
  return transportId;
}
