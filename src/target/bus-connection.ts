import { createClient, type Message, type MessageBus } from 'dbus-native';

/** Milliseconds: nobody who is asked here has anything to wait for. */
export const CALL_TIMEOUT = 10_000;

/** A connection to a message bus that has said Hello. */
export interface BusConnection {
  readonly bus: MessageBus;
  /** Resolves when the connection is gone, however it went; then `close()` is not needed. */
  readonly lost: Promise<void>;
  /** Call a method. @returns the value of the answer, or an array of them where it has several */
  call<T>(this: void, message: Message): Promise<T>;
  /** Call a method of the bus itself. */
  callBus<T>(this: void, member: string, signature: string, ...body: unknown[]): Promise<T>;
  close(): Promise<void>;
}

/**
 * Connect to a bus.
 * @param address a D-Bus address: `unix:path=/run/dbus/system_bus_socket`
 * @throws Error with code `NO_BUS` that says why it cannot be reached
 */
export async function connectBus(address: string): Promise<BusConnection> {
  const noBus = (reason: unknown): Error =>
    Object.assign(
      new Error(`the message bus at ${address} cannot be reached: ${(reason as Error).message}`),
      {
        code: 'NO_BUS',
      },
    );
  let bus: MessageBus;
  try {
    // direct: the client would throw where nobody can catch it if the bus refused its Hello; ours rejects.
    bus = createClient({ busAddress: address, direct: true, timeout: CALL_TIMEOUT });
  } catch (error) {
    throw noBus(error);
  }
  const { connection } = bus;
  let failure: Error | undefined;
  // Without listeners these end the process.
  connection.on('error', (error: Error) => (failure ??= error));
  connection.on('handlerError', (error: Error) => (failure ??= error));
  const lost = new Promise<void>((resolve) => {
    connection.on('close', () => resolve());
    connection.on('error', () => resolve());
  });
  const result: BusConnection = {
    bus,
    lost,
    call: (message) => Promise.resolve(bus.invoke(message)),
    callBus: (member, signature, ...body) =>
      Promise.resolve(bus.invokeDbus(body.length === 0 ? { member } : { member, signature, body })),
    close: () => bus.close(),
  };
  try {
    bus.name = await Promise.race([
      result.callBus<string>('Hello', ''),
      lost.then(() => Promise.reject(failure ?? new Error('it closed the connection'))),
    ]);
  } catch (error) {
    connection.end();
    throw noBus(failure ?? error);
  }
  return result;
}
