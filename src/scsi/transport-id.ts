import { readUint16 } from './big-endian.js';
import type { Nexus } from './command.js';
import { ascii } from './text.js';

/** Protocol identifier of iSCSI (SPC-4 table 441). */
const ISCSI = 0x5;
/** TPID FORMAT of an iSCSI initiator port: name and ISID. The other, 00b, names a device of any number of ports. */
const ISCSI_PORT = 0x40;
const SHORTEST = 24;
/** The longest is iSCSI's: a name of 223 bytes, `,i,0x`, twelve digits, and padding. */
export const LONGEST_TRANSPORT_ID = 256;

/** An I_T nexus in a form that outlives its object: who, and through which target port. */
export interface NexusIdentity {
  /** The initiator port: equal for equal TransportIDs, however they are padded. */
  readonly initiator: string;
  /** RELATIVE TARGET PORT IDENTIFIER, 0 where the transport has no ports. */
  readonly port: number;
  readonly transportId: Uint8Array;
  /** False where the transport knows no TransportID: nobody can be recognised by it later. */
  readonly lasting: boolean;
  /** Initiator and target port in one. */
  readonly id: string;
  /** The initiator through every target port. */
  readonly idOnAllPorts: string;
}

const identities = new WeakMap<Nexus, NexusIdentity>();
let anonymous = 0;

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** The name of an initiator port by which registrations are kept. */
function canonicalTransportId(transportId: Uint8Array): string {
  if ((transportId[0] & 0x0f) !== ISCSI) return hex(transportId);
  const end = transportId.indexOf(0, 4);
  const name = String.fromCharCode(...transportId.subarray(4, end === -1 ? transportId.length : end));
  // iSCSI names are compared without regard to case (RFC 7143 4.2.7.1), and so is a hexadecimal ISID;
  // letters of ASCII only, as these are bytes.
  const folded = name.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
  return `${hex(transportId.subarray(0, 1))}:${folded}`;
}

/** What READ FULL STATUS shows of an initiator whose transport has no TransportIDs: a device's name. */
function placeholder(name: string): Uint8Array {
  const text = ascii(name).slice(0, 223);
  const length = Math.max(20, Math.ceil((text.length + 1) / 4) * 4);
  const transportId = new Uint8Array(4 + length);
  transportId[0] = ISCSI;
  transportId[3] = length;
  transportId.set(text, 4);
  return transportId;
}

/** The id of an initiator port on a target port, or on all of them. */
export function nexusId(initiator: string, port: number | 'all'): string {
  return `${initiator}@${port}`;
}

/** @param port RELATIVE TARGET PORT IDENTIFIER */
export function identityOf(transportId: Uint8Array, port: number): NexusIdentity {
  const initiator = canonicalTransportId(transportId);
  return {
    initiator,
    port,
    transportId,
    lasting: true,
    id: nexusId(initiator, port),
    idOnAllPorts: nexusId(initiator, 'all'),
  };
}

/** Computed once for each nexus object. */
export function identify(nexus: Nexus): NexusIdentity {
  const known = identities.get(nexus);
  if (known) return known;
  const port = nexus.port?.relativeId ?? 0;
  const { transportId } = nexus;
  let identity: NexusIdentity;
  if (transportId) {
    identity = identityOf(transportId.slice(), port);
  } else {
    const initiator = `${nexus.name}#${++anonymous}`;
    identity = {
      initiator,
      port,
      transportId: placeholder(nexus.name),
      lasting: false,
      id: nexusId(initiator, port),
      idOnAllPorts: nexusId(initiator, 'all'),
    };
  }
  identities.set(nexus, identity);
  return identity;
}

/**
 * Whether the bytes are one TransportID of an initiator port (SPC-4 7.6.4): of iSCSI one with its ISID, for a
 * device's name alone does not say which port is meant.
 */
export function isPortTransportId(bytes: Uint8Array): boolean {
  if (bytes.length < SHORTEST || bytes.length > LONGEST_TRANSPORT_ID || bytes.length % 4 !== 0) return false;
  if ((bytes[0] & 0x0f) !== ISCSI) return bytes.length === SHORTEST && (bytes[0] & 0xc0) === 0;
  if ((bytes[0] & 0xc0) !== ISCSI_PORT || readUint16(bytes, 2) !== bytes.length - 4) return false;
  const end = bytes.indexOf(0, 4);
  const name = String.fromCharCode(...bytes.subarray(4, end === -1 ? 4 : end));
  return /^[^,]+,i,0x[0-9a-f]{12}$/i.test(name);
}
