/** The system bus's D-Bus address: DBUS_SYSTEM_BUS_ADDRESS, or where every distribution has it. */
export function systemBusAddress(): string {
  return process.env.DBUS_SYSTEM_BUS_ADDRESS ?? 'unix:path=/var/run/dbus/system_bus_socket';
}
