import { endianness } from 'node:os';

/*
 * Netlink messages as bytes (include/uapi/linux/netlink.h and genetlink.h; all integers in the host's order):
 *
 *   nlmsghdr    length u32, type u16, flags u16, sequence u32, port u32
 *   genlmsghdr  command u8, version u8, reserved u16
 *   nlattr      length u16 with this header, type u16, then the value, padded to 4 bytes
 */

export const NLM_F_REQUEST = 0x1;
export const NLM_F_ACK = 0x4;
/** The type of a message that acknowledges (errno 0) or refuses a request. */
export const NLMSG_ERROR = 2;

const LITTLE = endianness() === 'LE';
const MESSAGE_HEADER = 16;
const GENERIC_HEADER = 4;
const ATTRIBUTE_HEADER = 4;
/** NLA_F_NESTED and NLA_F_NET_BYTEORDER: not part of an attribute's type. */
const TYPE_MASK = 0x3fff;

/** Bytes that are no netlink message. */
export class NetlinkFormatError extends Error {
  override name = 'NetlinkFormatError';
}

/** One message of a datagram. */
export interface NetlinkMessage {
  /** NLMSG_*, or the id of a generic netlink family. */
  readonly type: number;
  /** NLM_F_* */
  readonly flags: number;
  readonly sequence: number;
  /** The port of the socket the message is for or from; 0 is the kernel. */
  readonly port: number;
  readonly payload: Uint8Array;
}

/** Attribute values by type. */
export type Attributes = ReadonlyMap<number, Uint8Array>;

/** The payload of a message of a generic netlink family. */
export interface GenericMessage {
  readonly command: number;
  readonly version: number;
  /** Where a type comes twice the later one counts, as in the kernel's nla_parse. */
  readonly attributes: Attributes;
}

function align(length: number): number {
  return (length + 3) & ~3;
}

function view(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

export function encodeMessage(message: NetlinkMessage): Uint8Array {
  const length = MESSAGE_HEADER + message.payload.length;
  const bytes = new Uint8Array(align(length));
  const header = view(bytes);
  header.setUint32(0, length, LITTLE);
  header.setUint16(4, message.type, LITTLE);
  header.setUint16(6, message.flags, LITTLE);
  header.setUint32(8, message.sequence, LITTLE);
  header.setUint32(12, message.port, LITTLE);
  bytes.set(message.payload, MESSAGE_HEADER);
  return bytes;
}

/**
 * Take a datagram apart into its messages.
 * @throws NetlinkFormatError
 */
export function decodeMessages(datagram: Uint8Array): NetlinkMessage[] {
  const messages: NetlinkMessage[] = [];
  const bytes = view(datagram);
  for (let at = 0; at < datagram.length;) {
    const left = datagram.length - at;
    const length = left < MESSAGE_HEADER ? 0 : bytes.getUint32(at, LITTLE);
    if (length < MESSAGE_HEADER || length > left) {
      throw new NetlinkFormatError(`message at byte ${at}: length ${length}, with ${left} bytes left`);
    }
    messages.push({
      type: bytes.getUint16(at + 4, LITTLE),
      flags: bytes.getUint16(at + 6, LITTLE),
      sequence: bytes.getUint32(at + 8, LITTLE),
      port: bytes.getUint32(at + 12, LITTLE),
      payload: datagram.subarray(at + MESSAGE_HEADER, at + length),
    });
    at += align(length);
  }
  return messages;
}

export function encodeAttributes(attributes: Attributes): Uint8Array {
  let length = 0;
  for (const value of attributes.values()) length += align(ATTRIBUTE_HEADER + value.length);
  const bytes = new Uint8Array(length);
  const header = view(bytes);
  let at = 0;
  for (const [type, value] of attributes) {
    const size = ATTRIBUTE_HEADER + value.length;
    if (size > 0xffff) throw new RangeError(`attribute ${type}: ${value.length} bytes do not fit`);
    header.setUint16(at, size, LITTLE);
    header.setUint16(at + 2, type, LITTLE);
    bytes.set(value, at + ATTRIBUTE_HEADER);
    at += align(size);
  }
  return bytes;
}

/**
 * Take a run of attributes apart, keeping their order and any repetition (CTRL's group list is one).
 * @throws NetlinkFormatError
 */
export function decodeAttributeList(payload: Uint8Array): [type: number, value: Uint8Array][] {
  const list: [number, Uint8Array][] = [];
  const bytes = view(payload);
  for (let at = 0; at < payload.length;) {
    const left = payload.length - at;
    const length = left < ATTRIBUTE_HEADER ? 0 : bytes.getUint16(at, LITTLE);
    if (length < ATTRIBUTE_HEADER || length > left) {
      throw new NetlinkFormatError(`attribute at byte ${at}: length ${length}, with ${left} bytes left`);
    }
    const type = bytes.getUint16(at + 2, LITTLE) & TYPE_MASK;
    list.push([type, payload.subarray(at + ATTRIBUTE_HEADER, at + length)]);
    at += align(length);
  }
  return list;
}

export function encodeGeneric({ command, version, attributes }: GenericMessage): Uint8Array {
  const encoded = encodeAttributes(attributes);
  const bytes = new Uint8Array(GENERIC_HEADER + encoded.length);
  bytes[0] = command;
  bytes[1] = version;
  bytes.set(encoded, GENERIC_HEADER);
  return bytes;
}

/** @throws NetlinkFormatError */
export function decodeGeneric(payload: Uint8Array): GenericMessage {
  if (payload.length < GENERIC_HEADER) {
    throw new NetlinkFormatError(`a generic message of ${payload.length} bytes has no header`);
  }
  return {
    command: payload[0],
    version: payload[1],
    attributes: new Map(decodeAttributeList(payload.subarray(GENERIC_HEADER))),
  };
}

/**
 * The payload of NLMSG_ERROR.
 * @returns errno as the kernel gives it: 0 for an acknowledgement, else negative
 * @throws NetlinkFormatError
 */
export function decodeError(payload: Uint8Array): number {
  return readInteger(payload.subarray(0, 4), 4);
}

export function uint8(value: number): Uint8Array {
  return Uint8Array.of(value);
}

export function int32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  view(bytes).setInt32(0, value, LITTLE);
  return bytes;
}

export function uint32(value: number): Uint8Array {
  return int32(value | 0);
}

export function uint64(value: bigint): Uint8Array {
  const bytes = new Uint8Array(8);
  view(bytes).setBigUint64(0, value, LITTLE);
  return bytes;
}

/** A NUL-terminated string. */
export function text(value: string): Uint8Array {
  return new TextEncoder().encode(`${value}\0`);
}

function readInteger(value: Uint8Array, size: 1 | 2 | 4): number {
  if (value.length !== size) {
    throw new NetlinkFormatError(`an integer of ${size} bytes is ${value.length} bytes long`);
  }
  const bytes = view(value);
  if (size === 1) return bytes.getUint8(0);
  return size === 2 ? bytes.getUint16(0, LITTLE) : bytes.getInt32(0, LITTLE);
}

/** @throws NetlinkFormatError, as the others below, where the length is another */
export function readUint8(value: Uint8Array): number {
  return readInteger(value, 1);
}

export function readUint16(value: Uint8Array): number {
  return readInteger(value, 2);
}

export function readInt32(value: Uint8Array): number {
  return readInteger(value, 4);
}

export function readUint32(value: Uint8Array): number {
  return readInteger(value, 4) >>> 0;
}

export function readUint64(value: Uint8Array): bigint {
  if (value.length !== 8) {
    throw new NetlinkFormatError(`an integer of 8 bytes is ${value.length} bytes long`);
  }
  return view(value).getBigUint64(0, LITTLE);
}

/** A string, up to its NUL or the end. */
export function readText(value: Uint8Array): string {
  const nul = value.indexOf(0);
  return new TextDecoder().decode(nul < 0 ? value : value.subarray(0, nul));
}
