import type { InterfaceDescriptor, Message } from 'dbus-native';
import type { BusConnection } from './bus-connection.js';
import type { TargetLog } from './log.js';

/** The name targetcli asks, and the interface of each handler there. */
export const SERVICE = 'org.kernel.TCMUService1';
export const SERVICE_PATH = '/org/kernel/TCMUService1';
/** The interface by which other daemons offer handlers; also the prefix of the names they answer under. */
export const MANAGER = `${SERVICE}.HandlerManager1`;
export const MANAGER_PATH = `${SERVICE_PATH}/HandlerManager1`;

const handlerInterface: InterfaceDescriptor = {
  name: SERVICE,
  methods: { CheckConfig: ['s', 'bs', ['cfgstring'], ['ok', 'message']] },
  properties: { ConfigDesc: { type: 's', access: 'read' } },
};

/** One handler, as targetcli is shown it. */
export interface ServiceHandler {
  /** Letters, digits and `_`, or D-Bus cannot carry it: it is an element of an object path. */
  readonly subtype: string;
  /** What `help create` shows under CFGSTRING FORMAT. */
  readonly description: string;
  /**
   * Refuse, by throwing, a configuration that cannot be opened; the message is shown to the administrator.
   * @param devConfig SUBTYPE/CFGSTRING
   */
  checkConfig(devConfig: string): Promise<void>;
}

type Answer = [ok: boolean, message: string];

/** Whether an object path can end in the subtype (D-Bus specification, "Valid Object Paths"). */
export function isBusSubtype(subtype: string): boolean {
  return /^[A-Za-z0-9_]{1,64}$/.test(subtype) && subtype !== 'HandlerManager1';
}

async function answer(work: () => Promise<unknown>): Promise<Answer> {
  try {
    await work();
    return [true, 'success'];
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    // The one character a D-Bus string cannot hold.
    return [false, message.replaceAll('\0', '\uFFFD')];
  }
}

/** Answer CheckConfig and ConfigDesc for a handler at `path`. */
export function exportHandler({ bus }: BusConnection, path: string, handler: ServiceHandler): void {
  const object = {
    ConfigDesc: handler.description,
    // The library does not hold callers to the signature.
    CheckConfig: (devConfig: unknown) =>
      answer(async () => {
        if (typeof devConfig !== 'string') throw new Error('CheckConfig takes one string, SUBTYPE/CFGSTRING');
        await handler.checkConfig(devConfig);
      }),
  };
  bus.exportInterface(object, path, handlerInterface);
}

/**
 * The owner's side of the service: the handlers under an object manager, and the handlers that other daemons register.
 * The HandlerManager1 object itself is not listed, or targetcli would show it as a backstore.
 */
export class HandlerDirectory {
  readonly #connection: BusConnection;
  readonly #own: ReadonlySet<string>;
  readonly #log: TargetLog;
  readonly #guests = new Set<string>();

  constructor(connection: BusConnection, handlers: readonly ServiceHandler[], log: TargetLog) {
    this.#connection = connection;
    this.#own = new Set(handlers.map(({ subtype }) => subtype));
    this.#log = log;
    const { bus } = connection;
    bus.exportObjectManager(SERVICE_PATH);
    for (const handler of handlers) exportHandler(connection, `${SERVICE_PATH}/${handler.subtype}`, handler);
    bus.setMethodCallHandler(MANAGER_PATH, MANAGER, 'RegisterHandler', [
      (subtype: unknown, description: unknown, { sender }: Message) =>
        answer(() => this.#register(String(subtype), String(description), sender)),
      'bs',
    ]);
  }

  /** Take everything back, where the name could not be had. */
  withdraw(): void {
    const { bus } = this.#connection;
    for (const subtype of [...this.#own, ...this.#guests])
      bus.unexportInterface(`${SERVICE_PATH}/${subtype}`);
    bus.objectManagers.delete(SERVICE_PATH);
  }

  /** To be told of each change of a bus name's owner: who leaves takes his handlers along. */
  onNameOwnerChanged(name: string, owner: string): void {
    const subtype = name.slice(MANAGER.length + 1);
    if (owner !== '' || !name.startsWith(`${MANAGER}.`) || !this.#guests.delete(subtype)) return;
    this.#connection.bus.unexportInterface(`${SERVICE_PATH}/${subtype}`);
    this.#log.info(`handler '${subtype}' of another daemon is gone`);
  }

  async #register(subtype: string, description: string, sender: string | undefined): Promise<void> {
    if (!isBusSubtype(subtype)) throw new Error(`'${subtype}' is no handler name: use letters, digits and _`);
    if (this.#own.has(subtype)) throw new Error(`handler '${subtype}' is there already`);
    const busName = `${MANAGER}.${subtype}`;
    const owner = await this.#connection.callBus<string>('GetNameOwner', 's', busName).catch(() => undefined);
    if (owner === undefined || owner !== sender) throw new Error(`own the bus name ${busName} first`);
    exportHandler(this.#connection, `${SERVICE_PATH}/${subtype}`, {
      subtype,
      description,
      checkConfig: (devConfig) => this.#forward(subtype, devConfig),
    });
    this.#guests.add(subtype);
    this.#log.info(`handler '${subtype}' was registered by another daemon`);
  }

  async #forward(subtype: string, devConfig: string): Promise<void> {
    const [ok, message] = await this.#connection.call<Answer>({
      destination: `${MANAGER}.${subtype}`,
      path: `${MANAGER_PATH}/${subtype}`,
      interface: SERVICE,
      member: 'CheckConfig',
      signature: 's',
      body: [devConfig],
    });
    if (!ok) throw new Error(message);
  }
}
