import { constants } from 'node:os';
import type { NetlinkSocketHandle } from '../native/addon.js';
import type { TargetLog } from './log.js';
import {
  NLMSG_ERROR,
  NLM_F_ACK,
  NLM_F_REQUEST,
  decodeAttributeList,
  decodeError,
  decodeGeneric,
  decodeMessages,
  encodeGeneric,
  encodeMessage,
  int32,
  readText,
  readUint16,
  readUint32,
  readUint64,
  readUint8,
  text,
  uint32,
  uint8,
  type Attributes,
  type GenericMessage,
  type NetlinkMessage,
} from './netlink-codec.js';

/** Bytes: a burst of devices that overruns the buffer loses an event, and the kernel waits for its answer. */
export const RECEIVE_BUFFER = 4 * 1024 * 1024;

const FAMILY = 'TCM-USER';
const GROUP = 'config';
const VERSION = 2;

/** The generic netlink controller (include/uapi/linux/genetlink.h). */
const ctrl = {
  id: 0x10,
  getFamily: 3,
  familyId: 1,
  familyName: 2,
  groups: 7,
  groupName: 1,
  groupId: 2,
} as const;

/** enum tcmu_genl_cmd (include/uapi/linux/target_core_user.h). */
export const tcmuCommand = {
  addedDevice: 1,
  removedDevice: 2,
  reconfigDevice: 3,
  addedDeviceDone: 4,
  removedDeviceDone: 5,
  reconfigDeviceDone: 6,
  setFeatures: 7,
} as const;

/** enum tcmu_genl_attr. */
export const tcmuAttribute = {
  device: 1,
  minor: 2,
  devCfg: 4,
  devSize: 5,
  writeCache: 6,
  cmdStatus: 7,
  deviceId: 8,
  suppKernCmdReply: 9,
} as const;

/** How long the kernel may take to acknowledge, in milliseconds: it does so before send() returns. */
const ACKNOWLEDGE_TIMEOUT = 5_000;

/** What changed in a reconfigured device; the kernel tells one thing at a time. */
export interface DeviceChange {
  /** The new capacity in bytes. */
  readonly size?: number;
  readonly writeCache?: boolean;
  readonly devConfig?: string;
}

/** What the kernel tells of a device. */
export interface TcmUserEvent {
  readonly kind: 'added' | 'removed' | 'reconfigured';
  /** What the answer has to carry. */
  readonly deviceId: number;
  /** `uio0` */
  readonly uio: string;
  /** The UIO device's name: `tcm-user/HBA/DEVICE/DEV_CONFIG`. */
  readonly uioName: string;
  readonly change: DeviceChange;
}

/** Code `NO_TCM_USER`: the kernel has no TCMU. Code `EPERM`: it does not let this process in. */
export class TcmUserError extends Error {
  override name = 'TcmUserError';
  readonly code: string;
  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

const kinds = new Map<number, TcmUserEvent['kind']>([
  [tcmuCommand.addedDevice, 'added'],
  [tcmuCommand.removedDevice, 'removed'],
  [tcmuCommand.reconfigDevice, 'reconfigured'],
]);

const answers = {
  added: tcmuCommand.addedDeviceDone,
  removed: tcmuCommand.removedDeviceDone,
  reconfigured: tcmuCommand.reconfigDeviceDone,
} as const;

const { ENODEV, ENOENT, EPERM, ETIMEDOUT } = constants.errno;

function decodeChange(attributes: Attributes): DeviceChange {
  const size = attributes.get(tcmuAttribute.devSize);
  const writeCache = attributes.get(tcmuAttribute.writeCache);
  const devConfig = attributes.get(tcmuAttribute.devCfg);
  return {
    ...(size && { size: Number(readUint64(size)) }),
    ...(writeCache && { writeCache: readUint8(writeCache) !== 0 }),
    ...(devConfig && { devConfig: readText(devConfig) }),
  };
}

/** @returns undefined for a command that is no event */
function decodeEvent({ command, attributes }: GenericMessage): TcmUserEvent | undefined {
  const kind = kinds.get(command);
  const deviceId = attributes.get(tcmuAttribute.deviceId);
  const minor = attributes.get(tcmuAttribute.minor);
  const device = attributes.get(tcmuAttribute.device);
  if (kind === undefined || !deviceId || !minor || !device) return undefined;
  return {
    kind,
    deviceId: readUint32(deviceId),
    uio: `uio${readUint32(minor)}`,
    uioName: readText(device),
    change: decodeChange(attributes),
  };
}

/** The id of the multicast group named `config` in CTRL_ATTR_MCAST_GROUPS: a list of lists. */
function findGroup(groups: Uint8Array | undefined): number | undefined {
  for (const [, group] of groups ? decodeAttributeList(groups) : []) {
    const fields = new Map(decodeAttributeList(group));
    const name = fields.get(ctrl.groupName);
    const id = fields.get(ctrl.groupId);
    if (name && id && readText(name) === GROUP) return readUint32(id);
  }
  return undefined;
}

interface Reply {
  /** 0, or errno as the kernel gives it: negative. */
  readonly errno: number;
  readonly message?: GenericMessage;
}

/**
 * The kernel's generic netlink family TCM-USER: events of devices, and the answers to them.
 *
 * After setFeatures(true) the kernel waits, uninterruptibly and without a limit, for the answer to every event of
 * every device in the system, no matter whose it is. The setting outlives this process.
 */
export class TcmUserNetlink {
  readonly #socket: NetlinkSocketHandle;
  readonly #log: TargetLog;
  readonly #onEvent: (event: TcmUserEvent) => void;
  readonly #pending = new Map<number, (reply: Reply) => void>();
  #family = 0;
  #sequence = 0;
  #closed = false;

  private constructor(socket: NetlinkSocketHandle, log: TargetLog, onEvent: (event: TcmUserEvent) => void) {
    this.#socket = socket;
    this.#log = log;
    this.#onEvent = onEvent;
  }

  /**
   * Find the family and join its group: every event from then on is given to `onEvent`, in order.
   * @throws TcmUserError where the kernel has no such family; the socket is closed then
   */
  static async open(
    socket: NetlinkSocketHandle,
    log: TargetLog,
    onEvent: (event: TcmUserEvent) => void,
  ): Promise<TcmUserNetlink> {
    const netlink = new TcmUserNetlink(socket, log, onEvent);
    try {
      socket.onMessage((datagram) => netlink.#receive(datagram));
      await netlink.#join();
    } catch (error) {
      netlink.close();
      throw error;
    }
    return netlink;
  }

  async #join(): Promise<void> {
    const attributes = new Map([[ctrl.familyName, text(FAMILY)]]);
    // No NLM_F_ACK: the family itself is the answer, and an acknowledgement would be a second one.
    const { errno, message } = await this.#request(
      ctrl.id,
      {
        command: ctrl.getFamily,
        version: 1,
        attributes,
      },
      0,
    );
    const id = message?.attributes.get(ctrl.familyId);
    const group = findGroup(message?.attributes.get(ctrl.groups));
    if (errno === -ENOENT || (errno === 0 && (id === undefined || group === undefined))) {
      throw new TcmUserError(
        'NO_TCM_USER',
        `the kernel has no generic netlink family ${FAMILY}: load it with 'modprobe target_core_user'`,
      );
    }
    if (errno !== 0 || id === undefined || group === undefined) {
      throw new TcmUserError('NETLINK', `the kernel would not look up ${FAMILY}: errno ${-errno}`);
    }
    this.#family = readUint16(id);
    this.#socket.joinGroup(group);
  }

  /**
   * Let the kernel wait for answers, or no longer.
   * @throws TcmUserError code EPERM without CAP_NET_ADMIN
   */
  async setFeatures(waitForReplies: boolean): Promise<void> {
    const errno = await this.#command(
      tcmuCommand.setFeatures,
      new Map([[tcmuAttribute.suppKernCmdReply, uint8(waitForReplies ? 1 : 0)]]),
    );
    if (errno === -EPERM) {
      throw new TcmUserError('EPERM', 'the kernel lets only CAP_NET_ADMIN serve TCMU devices: run as root');
    }
    if (errno !== 0) throw new TcmUserError('NETLINK', `SET_FEATURES was refused: errno ${-errno}`);
  }

  /**
   * Answer an event.
   * @param status 0, or a negative errno: on 'added' it makes the write to configfs `enable` fail with it
   * @returns 0, or the negative errno with which the kernel refused the answer
   */
  async answer({ kind, deviceId, uioName }: TcmUserEvent, status: number): Promise<number> {
    const errno = await this.#command(
      answers[kind],
      new Map([
        [tcmuAttribute.cmdStatus, int32(status)],
        [tcmuAttribute.deviceId, uint32(deviceId)],
      ]),
    );
    if (errno === -ENODEV) {
      this.#log.debug(`${uioName}: the kernel did not wait for the answer to '${kind}'`);
    } else if (errno !== 0) {
      this.#log.error(`${uioName}: the kernel refused the answer to '${kind}': errno ${-errno}`);
    }
    return errno;
  }

  /** Close the socket; what was not acknowledged yet resolves with -ENODEV. Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#socket.close();
    for (const resolve of this.#pending.values()) resolve({ errno: -ENODEV });
  }

  async #command(command: number, attributes: Attributes): Promise<number> {
    return (await this.#request(this.#family, { command, version: VERSION, attributes }, NLM_F_ACK)).errno;
  }

  #request(type: number, message: GenericMessage, flags: number): Promise<Reply> {
    if (this.#closed) return Promise.resolve({ errno: -ENODEV });
    this.#sequence = (this.#sequence % 0xffff_ffff) + 1;
    const sequence = this.#sequence;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => settle({ errno: -ETIMEDOUT }), ACKNOWLEDGE_TIMEOUT);
      const settle = (reply: Reply): void => {
        clearTimeout(timer);
        this.#pending.delete(sequence);
        resolve(reply);
      };
      this.#pending.set(sequence, settle);
      try {
        this.#socket.send(
          encodeMessage({
            type,
            flags: NLM_F_REQUEST | flags,
            sequence,
            port: this.#socket.portId,
            payload: encodeGeneric(message),
          }),
        );
      } catch (error) {
        clearTimeout(timer);
        this.#pending.delete(sequence);
        reject(error instanceof Error ? error : new Error(String(error)));
      }
    });
  }

  #receive(datagram: Uint8Array): void {
    try {
      for (const message of decodeMessages(datagram)) this.#dispatch(message);
    } catch (error) {
      this.#log.error(`a netlink message was not understood: ${(error as Error).message}`);
    }
  }

  #dispatch({ type, sequence, payload }: NetlinkMessage): void {
    if (type === NLMSG_ERROR) {
      this.#pending.get(sequence)?.({ errno: decodeError(payload) });
    } else if (type === ctrl.id) {
      this.#pending.get(sequence)?.({ errno: 0, message: decodeGeneric(payload) });
    } else if (type === this.#family) {
      const event = decodeEvent(decodeGeneric(payload));
      if (event) this.#onEvent(event);
    }
  }
}
