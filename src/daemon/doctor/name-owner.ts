import { systemBusAddress } from '../../target/bus-address.js';
import { connectBus } from '../../target/bus-connection.js';
import { SERVICE } from '../../target/handler-directory.js';

/**
 * The process that owns the name by which targetcli finds handlers.
 * @returns undefined where nobody owns it
 * @throws Error with code `NO_BUS`
 */
export async function nameOwner(address = systemBusAddress()): Promise<number | undefined> {
  const connection = await connectBus(address);
  const { callBus } = connection;
  try {
    // Not a call to the name itself, which would make the bus start whoever can be started for it.
    if (!(await callBus<boolean>('NameHasOwner', 's', SERVICE))) return undefined;
    return await callBus<number>('GetConnectionUnixProcessID', 's', SERVICE);
  } finally {
    await connection.close();
  }
}
