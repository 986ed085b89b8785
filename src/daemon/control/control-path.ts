// Apart from the schema, whose library takes longer to load than the rest of the command line.

/** Where the daemon listens, and clients connect, unless told otherwise. */
export const DEFAULT_CONTROL_PATH = '/run/lunette/control.sock';
