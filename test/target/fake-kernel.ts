import type { NetlinkSocketHandle } from '../../src/native/addon.js';
import {
  NLMSG_ERROR,
  NLM_F_ACK,
  decodeGeneric,
  decodeMessages,
  encodeAttributes,
  encodeGeneric,
  encodeMessage,
  int32,
  readInt32,
  readText,
  readUint32,
  readUint8,
  text,
  uint32,
  type Attributes,
  type NetlinkMessage,
} from '../../src/target/netlink-codec.js';
import { tcmuAttribute, tcmuCommand } from '../../src/target/tcm-user-netlink.js';

const CTRL = 0x10;
const FAMILY = 0x1f;
const GROUP = 7;

const ENODEV = -19;
const ENOENT = -2;
const EINVAL = -22;
const EPERM = -1;

const doneCommand = new Map<number, number>([
  [tcmuCommand.addedDeviceDone, tcmuCommand.addedDevice],
  [tcmuCommand.removedDeviceDone, tcmuCommand.removedDevice],
  [tcmuCommand.reconfigDeviceDone, tcmuCommand.reconfigDevice],
]);

interface Waiting {
  deviceId: number;
  command: number;
  resolve(status: number): void;
}

export interface FakeEvent {
  command: number;
  deviceId: number;
  uio: number;
  uioName: string;
  /** Whether the kernel waits for the answer (nl_reply_supported). Default true. */
  waits?: boolean;
  attributes?: Attributes;
}

/**
 * The kernel's end of a netlink socket: the controller, and TCM-USER with its list of unanswered events, as
 * target_core_user.c keeps it. What it answers arrives in later turns of the loop.
 */
export class FakeKernel implements NetlinkSocketHandle {
  readonly portId = 4711;
  readonly receiveBufferSize = 8 * 1024 * 1024;
  /** Whether the module is loaded. */
  loaded = true;
  /** Whether the process may. */
  privileged = true;
  /** tcmu_kern_cmd_reply_supported */
  waitsForReplies = false;
  joined = false;
  closed = false;
  /** Answers to events that nothing waited for, or that were of the wrong kind. */
  readonly strayAnswers: number[] = [];
  readonly #waiting: Waiting[] = [];
  #onMessage: ((datagram: Uint8Array) => void) | undefined;

  onMessage(callback: (datagram: Uint8Array) => void): void {
    this.#onMessage = callback;
  }

  joinGroup(group: number): void {
    if (group !== GROUP) throw new Error(`joinGroup(${group})`);
    this.joined = true;
  }

  setRef(): void {}

  close(): void {
    this.closed = true;
  }

  /** Deliver a datagram as it is. */
  deliver(datagram: Uint8Array): void {
    setImmediate(() => {
      if (!this.closed) this.#onMessage?.(datagram);
    });
  }

  /** Resolves when everything told so far was delivered. */
  async delivered(): Promise<void> {
    for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
  }

  send(datagram: Uint8Array): void {
    if (this.closed) throw new Error('sent on a closed socket');
    for (const message of decodeMessages(datagram)) {
      if (message.type === CTRL) this.#control(message);
      else if (message.type === FAMILY) this.#acknowledge(message, this.#command(message));
      else throw new Error(`unexpected type ${message.type}`);
    }
  }

  /**
   * Tell of an event.
   * @returns the status it was answered with; 0 at once where no answer is waited for
   */
  tell({ command, deviceId, uio, uioName, waits = true, attributes }: FakeEvent): Promise<number> {
    const payload = encodeGeneric({
      command,
      version: 2,
      attributes: new Map([
        [tcmuAttribute.device, text(uioName)],
        [tcmuAttribute.minor, uint32(uio)],
        [tcmuAttribute.deviceId, uint32(deviceId)],
        ...(attributes ?? []),
      ]),
    });
    const status = new Promise<number>((resolve) => {
      if (waits && this.waitsForReplies) this.#waiting.push({ deviceId, command, resolve });
      else resolve(0);
    });
    // ESRCH, where nobody listens yet; the kernel waits nevertheless.
    if (this.joined) this.deliver(encodeMessage({ type: FAMILY, flags: 0, sequence: 0, port: 0, payload }));
    return status;
  }

  get unanswered(): number {
    return this.#waiting.length;
  }

  #control(message: NetlinkMessage): void {
    const { command, attributes } = decodeGeneric(message.payload);
    const name = readText(attributes.get(2) ?? new Uint8Array());
    if (command !== 3 || name !== 'TCM-USER' || !this.loaded) {
      this.#acknowledge(message, ENOENT);
      return;
    }
    const group = (id: number, groupName: string): Uint8Array =>
      encodeAttributes(
        new Map([
          [2, uint32(id)],
          [1, text(groupName)],
        ]),
      );
    const groups = encodeAttributes(
      new Map([
        [1, group(6, 'other')],
        [2, group(GROUP, 'config')],
      ]),
    );
    const payload = encodeGeneric({
      command: 1,
      version: 2,
      attributes: new Map([
        [2, text('TCM-USER')],
        [1, Uint8Array.from(uint32(FAMILY).subarray(0, 2))],
        [7, groups],
      ]),
    });
    this.deliver(encodeMessage({ ...message, flags: 0, payload }));
  }

  #command({ payload }: NetlinkMessage): number {
    if (!this.privileged) return EPERM;
    const { command, attributes } = decodeGeneric(payload);
    if (command === tcmuCommand.setFeatures) {
      const value = attributes.get(tcmuAttribute.suppKernCmdReply);
      if (value) this.waitsForReplies = readUint8(value) !== 0;
      return 0;
    }
    const completed = doneCommand.get(command);
    if (completed === undefined) return -95;
    return this.#done(completed, attributes);
  }

  /** tcmu_genl_cmd_done: the entry is gone before its kind is compared. */
  #done(completed: number, attributes: Attributes): number {
    const status = attributes.get(tcmuAttribute.cmdStatus);
    const id = attributes.get(tcmuAttribute.deviceId);
    if (!status || !id) return EINVAL;
    const index = this.#waiting.findIndex(({ deviceId }) => deviceId === readUint32(id));
    if (index < 0) {
      this.strayAnswers.push(completed);
      return ENODEV;
    }
    const [waiting] = this.#waiting.splice(index, 1);
    if (waiting.command !== completed) {
      this.strayAnswers.push(completed);
      return EINVAL;
    }
    waiting.resolve(readInt32(status));
    return 0;
  }

  #acknowledge(message: NetlinkMessage, errno: number): void {
    // An error is always told, success only where it was asked for.
    if (errno === 0 && (message.flags & NLM_F_ACK) === 0) return;
    const original = encodeMessage(message).subarray(0, 16);
    const payload = new Uint8Array(4 + original.length);
    payload.set(int32(errno));
    payload.set(original, 4);
    this.deliver(encodeMessage({ ...message, type: NLMSG_ERROR, flags: 0, payload }));
  }
}
