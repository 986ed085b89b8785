/** Where the control plane writes what an administrator should read. A pino logger is one. */
export interface TargetLog {
  debug(message: string): void;
  info(message: string): void;
  warn(message: string): void;
  error(message: string): void;
}
