/** Nobody listens at the control socket, or this user may not connect; the message says what to do. */
export class NoDaemon extends Error {
  override readonly name = 'NoDaemon';
  /** Of connect(2): `ENOENT`, `ECONNREFUSED`, `EACCES`. */
  readonly code: string | undefined;

  constructor(
    readonly path: string,
    cause: NodeJS.ErrnoException,
  ) {
    super(explain(path, cause), { cause });
    this.code = cause.code;
  }
}

function explain(path: string, { code, message }: NodeJS.ErrnoException): string {
  switch (code) {
    case 'ENOENT':
    case 'ECONNREFUSED':
      return (
        `no daemon listens at ${path}: start one with \`sudo lunette serve\`, ` +
        'or name the socket of another with --control'
      );
    case 'EACCES':
    case 'EPERM':
      return `${path} is for root and the daemon's own user: try again with sudo`;
    default:
      return `cannot connect to ${path}: ${message}`;
  }
}

/** The daemon does not answer any more. */
export class ConnectionLost extends Error {
  override readonly name = 'ConnectionLost';
}
