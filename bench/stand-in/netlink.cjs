const { Buffer } = require('node:buffer');
const { setImmediate } = require('node:timers');

/*
 * Generic netlink's controller and the family it names, as bytes (include/uapi/linux/netlink.h and genetlink.h; of a
 * little-endian host).
 */
const HEADER = 16;
const NLMSG_ERROR = 2;
const CONTROLLER = 0x10;
const NEW_FAMILY = 1;
const VERSION = 2;
const attribute = { familyId: 1, groups: 7, groupName: 1, groupId: 2 };
const FAMILY = 0x1f;
const GROUP = 7;
/** Of this socket. */
const PORT = 1;

/** Each is padded to four bytes. */
function encode(type, value) {
  const bytes = Buffer.alloc((4 + value.length + 3) & ~3);
  bytes.writeUInt16LE(4 + value.length, 0);
  bytes.writeUInt16LE(type, 2);
  value.copy(bytes, 4);
  return bytes;
}

function message(type, sequence, ...parts) {
  const bytes = Buffer.concat([Buffer.alloc(HEADER), ...parts]);
  bytes.writeUInt32LE(bytes.length, 0);
  bytes.writeUInt16LE(type, 4);
  bytes.writeUInt32LE(sequence, 8);
  bytes.writeUInt32LE(PORT, 12);
  return bytes;
}

function family(sequence) {
  const group = Buffer.concat([
    encode(attribute.groupName, Buffer.from('config\0')),
    encode(attribute.groupId, Buffer.of(GROUP, 0, 0, 0)),
  ]);
  return message(
    CONTROLLER,
    sequence,
    Buffer.of(NEW_FAMILY, VERSION, 0, 0),
    encode(attribute.familyId, Buffer.of(FAMILY, 0)),
    encode(attribute.groups, encode(1, group)),
  );
}

/** The kernel's end of a netlink socket where no device ever comes or goes: it names TCM-USER and agrees to all. */
exports.StandInNetlink = class StandInNetlink {
  portId = PORT;
  receiveBufferSize = 4 * 2 ** 20;
  #onMessage;

  onMessage(callback) {
    this.#onMessage = callback;
  }

  /** @param {Uint8Array} datagram one message */
  send(datagram) {
    const request = Buffer.from(datagram);
    const sequence = request.readUInt32LE(8);
    const isForController = request.readUInt16LE(4) === CONTROLLER;
    // An error of 0, and the header of what was asked.
    const agreed = message(NLMSG_ERROR, sequence, Buffer.alloc(4), request.subarray(0, HEADER));
    for (const answer of isForController ? [family(sequence), agreed] : [agreed])
      setImmediate(() => this.#onMessage?.(answer));
  }

  joinGroup() {}

  setRef() {}

  close() {
    this.#onMessage = undefined;
  }
};
