import { connect, type ControlClient } from '../client/client.js';
import { NoDaemon } from '../client/errors.js';

/** What every command has that talks to a daemon. */
export interface ControlOptions {
  /** Path of the control socket. */
  control: string;
}

/** The exit status where no daemon listens. */
const NO_DAEMON = 3;

/** Connect, do `job`, hang up. @throws NoDaemon with an exit status of its own */
export async function withDaemon<Value>(
  { control }: ControlOptions,
  job: (client: ControlClient) => Promise<Value>,
): Promise<Value> {
  let client: ControlClient;
  try {
    client = await connect(control);
  } catch (error) {
    if (error instanceof NoDaemon) throw Object.assign(error, { exitCode: NO_DAEMON });
    throw error;
  }
  try {
    return await job(client);
  } finally {
    client.close();
  }
}

/** For programs. */
export function printJson(value: unknown): void {
  console.log(JSON.stringify(value, null, 2));
}
