import { systemBusAddress } from './bus-address.js';
import { connectBus, type BusConnection } from './bus-connection.js';
import {
  HandlerDirectory,
  MANAGER,
  MANAGER_PATH,
  SERVICE,
  SERVICE_PATH,
  exportHandler,
  isBusSubtype,
  type ServiceHandler,
} from './handler-directory.js';
import type { TargetLog } from './log.js';

export type { ServiceHandler } from './handler-directory.js';

/** By having this interface one lunette knows another. */
const IDENTITY = 'lunette.Daemon1';

/** RequestName's flag and answers (D-Bus specification, "Message Bus Messages"). */
const DO_NOT_QUEUE = 4;
const PRIMARY_OWNER = 1;

const NAME_OWNERS =
  "type='signal',sender='org.freedesktop.DBus',interface='org.freedesktop.DBus',member='NameOwnerChanged'," +
  `arg0namespace='${SERVICE}'`;

/** Milliseconds. */
const MAX_RETRY = 30_000;

export interface TcmuServiceOptions {
  readonly handlers: readonly ServiceHandler[];
  readonly log: TargetLog;
  /** Default: the system bus, as DBUS_SYSTEM_BUS_ADDRESS has it. */
  readonly busAddress?: string;
  /** How long another owner of the name may be away before it is taken over, in milliseconds. Default 10 000. */
  readonly takeoverDelay?: number;
  /** The first wait before a lost bus is tried again, in milliseconds; it doubles up to 30 s. Default 500. */
  readonly retryDelay?: number;
}

/** owner: of the service's name. registered: with the HandlerManager1 of tcmu-runner, which owns it. */
export type ServiceRole = 'owner' | 'registered';

function failure(code: string, message: string): Error {
  return Object.assign(new Error(message), { code });
}

/**
 * Offers the handlers to targetcli, which asks org.kernel.TCMUService1 on the system bus for them.
 *
 * Owns the name where it is free; other daemons may then register handlers of theirs. Where tcmu-runner owns it, the
 * handlers are registered there, and again when it was restarted; if it stays away, the name is taken over. A bus that
 * goes away is waited for.
 */
export class TcmuService {
  readonly #options: TcmuServiceOptions;
  readonly #log: TargetLog;
  readonly #handlers: readonly ServiceHandler[];
  #role: ServiceRole = 'owner';
  #connection: BusConnection | undefined;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  private constructor(options: TcmuServiceOptions) {
    this.#options = options;
    this.#log = options.log;
    this.#handlers = options.handlers.filter(({ subtype }) => {
      if (isBusSubtype(subtype)) return true;
      options.log.warn(
        `handler '${subtype}' is not shown in targetcli: D-Bus takes only letters, digits and _`,
      );
      return false;
    });
  }

  /**
   * @throws Error with code `NO_BUS` where there is no bus, `NOT_ALLOWED` where its policy does not let us own the
   * name, `ALREADY_RUNNING` where another lunette offers handlers
   */
  static async start(options: TcmuServiceOptions): Promise<TcmuService> {
    const service = new TcmuService(options);
    await service.#connect();
    return service;
  }

  /** While the bus is away: the last one. */
  get role(): ServiceRole {
    return this.#role;
  }

  /** Give up the names and leave the bus. Idempotent. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    const connection = this.#connection;
    this.#connection = undefined;
    await connection?.close();
  }

  async #connect(): Promise<void> {
    const connection = await connectBus(this.#options.busAddress ?? systemBusAddress());
    try {
      await this.#offer(connection);
    } catch (error) {
      await connection.close();
      throw error;
    }
    if (this.#closed) return connection.close();
    this.#connection = connection;
    // The owner may have left before there was anyone to hear of it.
    if (this.#role === 'registered' && !(await this.#hasOwner(connection))) this.#onOwnerChanged('');
    void connection.lost.then(() => {
      if (this.#connection !== connection) return;
      this.#log.warn(
        'the message bus is gone: devices are served on, targetcli sees no handlers until it is back',
      );
      this.#reconnect(this.#options.retryDelay ?? 500);
    });
  }

  /** Begin anew on a new connection: the bus drops all names and handlers of the old one. */
  #reconnect(delay: number): void {
    if (this.#closed) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      const old = this.#connection;
      this.#connection = undefined;
      Promise.resolve(old?.close())
        .then(() => this.#connect())
        .then(
          () => this.#log.info('targetcli sees the handlers again'),
          (error: Error) => {
            this.#log.debug(error.message);
            this.#reconnect(Math.min(Math.max(delay, 100) * 2, MAX_RETRY));
          },
        );
    }, delay);
  }

  /** Take the name, or register with the one that has it. */
  async #offer(connection: BusConnection): Promise<void> {
    // Before the name, so that who finds it finds the handlers.
    const directory = new HandlerDirectory(connection, this.#handlers, this.#log);
    connection.bus.exportInterface({}, SERVICE_PATH, { name: IDENTITY });
    await this.#followNames(connection, (name, owner) => {
      if (name === SERVICE) this.#onOwnerChanged(owner);
      else directory.onNameOwnerChanged(name, owner);
    });
    if (await this.#requestName(connection, SERVICE)) {
      this.#role = 'owner';
      return;
    }
    directory.withdraw();
    await this.#refuseSecond(connection);
    this.#role = 'registered';
    for (const handler of this.#handlers) await this.#register(connection, handler);
    this.#log.info(`${SERVICE} is owned by another daemon: the handlers are registered with it`);
  }

  async #followNames(
    { bus, callBus }: BusConnection,
    onChange: (name: string, owner: string) => void,
  ): Promise<void> {
    const signal = bus.mangle('/org/freedesktop/DBus', 'org.freedesktop.DBus', 'NameOwnerChanged');
    bus.signals.on(signal, ([name, , owner]: [string, string, string]) => onChange(name, owner));
    await callBus('AddMatch', 's', NAME_OWNERS);
  }

  #onOwnerChanged(owner: string): void {
    if (this.#role !== 'registered' || this.#connection === undefined) return;
    if (owner === '') {
      // A restart would find its name taken, and its own handlers would be lost to targetcli.
      const delay = this.#options.takeoverDelay ?? 10_000;
      this.#log.warn(`the owner of ${SERVICE} is gone; the name is taken over if it stays away`);
      this.#reconnect(delay);
    } else {
      this.#reconnect(0);
    }
  }

  async #hasOwner({ callBus }: BusConnection): Promise<boolean> {
    return callBus<boolean>('NameHasOwner', 's', SERVICE).catch(() => true);
  }

  async #requestName({ callBus }: BusConnection, name: string): Promise<boolean> {
    try {
      return (await callBus<number>('RequestName', 'su', name, DO_NOT_QUEUE)) === PRIMARY_OWNER;
    } catch (error) {
      throw failure(
        'NOT_ALLOWED',
        `the message bus refuses the name ${name} (${(error as Error).message}): run as root, with this package's ` +
          'share/dbus-1/system.d/org.kernel.TCMUService1.conf in /usr/share/dbus-1/system.d',
      );
    }
  }

  async #refuseSecond(connection: BusConnection): Promise<void> {
    const another = await connection
      .call({
        destination: SERVICE,
        path: SERVICE_PATH,
        interface: 'org.freedesktop.DBus.Properties',
        member: 'GetAll',
        signature: 's',
        body: [IDENTITY],
      })
      .then(
        () => true,
        () => false,
      );
    if (another) throw await this.#alreadyRunning(connection, SERVICE);
  }

  async #alreadyRunning({ callBus }: BusConnection, name: string): Promise<Error> {
    const pid = await callBus<number>('GetConnectionUnixProcessID', 's', name).catch(() => 'unknown');
    return failure('ALREADY_RUNNING', `another lunette (pid ${pid}) owns ${name}: stop it first`);
  }

  async #register(connection: BusConnection, handler: ServiceHandler): Promise<void> {
    const { subtype, description } = handler;
    exportHandler(connection, `${MANAGER_PATH}/${subtype}`, handler);
    const name = `${MANAGER}.${subtype}`;
    if (!(await this.#requestName(connection, name))) throw await this.#alreadyRunning(connection, name);
    const [ok, message] = await connection
      .call<[boolean, string]>({
        destination: SERVICE,
        path: MANAGER_PATH,
        interface: MANAGER,
        member: 'RegisterHandler',
        signature: 'ss',
        body: [subtype, description],
      })
      .catch((error: Error): [boolean, string] => [false, error.message]);
    if (!ok)
      this.#log.warn(`handler '${subtype}' is not shown in targetcli: the name's owner says: ${message}`);
  }
}
