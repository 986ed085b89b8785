/** Where the daemon listens. In a file of its own, which `lunette --help` loads without the rest of the protocol. */
export const DEFAULT_CONTROL_PATH = '/run/lunette/control.sock';
