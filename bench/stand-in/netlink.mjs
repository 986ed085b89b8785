import { setImmediate } from 'node:timers';
import {
  NLMSG_ERROR,
  decodeMessages,
  encodeAttributes,
  encodeGeneric,
  encodeMessage,
  int32,
  text,
  uint32,
} from '../../dist/target/netlink-codec.js';

/* Generic netlink's controller, and the family it names (include/uapi/linux/genetlink.h). */
const CONTROLLER = 0x10;
const NEW_FAMILY = 1;
const attribute = { familyId: 1, groups: 7, groupName: 1, groupId: 2 };
const FAMILY = 0x1f;
const GROUP = 7;

/** The kernel's end of a netlink socket where no device ever comes or goes: it names TCM-USER and agrees to all. */
export class StandInNetlink {
  portId = 1;
  receiveBufferSize = 4 * 2 ** 20;
  #onMessage;

  onMessage(callback) {
    this.#onMessage = callback;
  }

  send(datagram) {
    for (const { type, sequence, payload } of decodeMessages(datagram)) {
      const answers = type === CONTROLLER ? [this.#family(sequence)] : [];
      const acknowledged = new Uint8Array([...int32(0), ...payload.subarray(0, 16)]);
      answers.push(encodeMessage({ type: NLMSG_ERROR, flags: 0, sequence, port: 1, payload: acknowledged }));
      for (const answer of answers) setImmediate(() => this.#onMessage?.(answer));
    }
  }

  #family(sequence) {
    const group = encodeAttributes(
      new Map([
        [attribute.groupName, text('config')],
        [attribute.groupId, uint32(GROUP)],
      ]),
    );
    const attributes = new Map([
      [attribute.familyId, uint32(FAMILY).subarray(0, 2)],
      [attribute.groups, encodeAttributes(new Map([[1, group]]))],
    ]);
    const payload = encodeGeneric({ command: NEW_FAMILY, version: 2, attributes });
    return encodeMessage({ type: CONTROLLER, flags: 0, sequence, port: 1, payload });
  }

  joinGroup() {}

  setRef() {}

  close() {
    this.#onMessage = undefined;
  }
}
