import type { DeviceStatisticsReport } from '../../../src/daemon/control/schema.js';
import type { HostLink, LinkListener } from '../../../src/daemon/host/host-link.js';
import type { CallName, HostedState, ToHost } from '../../../src/daemon/host/protocol.js';
import type { TcmuDevice } from '../../../src/target/uio.js';

export const tcmu: TcmuDevice = {
  uio: 'uio0',
  devicePath: '/dev/no-such-uio',
  mapSize: 1 << 20,
  hba: 'user_0',
  name: 'disk1',
  subtype: 'memory',
  cfgstring: '',
  devConfig: 'memory/',
};

export function hosted(changes: Partial<HostedState['details']> = {}, holdsData = false): HostedState {
  const details = {
    name: 'user_0/disk1',
    transport: 'tcmu' as const,
    state: 'serving',
    handler: 'memory',
    size: 1 << 20,
    inFlight: 0,
    config: 'memory/',
    path: '/dev/uio0',
    blockSize: 512,
    readOnly: false,
    thin: true,
    vendor: 'V',
    product: 'P',
    revision: '1',
    serial: 's',
    commandTimeout: 25_000,
    ...changes,
  };
  return { details, holdsData };
}

export function report(commands: number): DeviceStatisticsReport {
  return {
    name: 'user_0/disk1',
    inFlight: 0,
    commands,
    reads: commands,
    writes: 0,
    unmaps: 0,
    readBytes: 512 * commands,
    writtenBytes: 0,
    errors: 0,
    senseKeys: [0, 1],
    handlerErrors: 0,
    timeouts: 0,
    latency: { samples: 1, total: 2, buckets: [0, commands] },
  };
}

/** What a host answers; what is not named is answered with nothing. Throwing is answered with the error. */
export type Script = Partial<Record<CallName, (parameters: never) => unknown>>;

/** A host that lives in the test. */
export class ScriptedHost implements HostLink {
  readonly pid = 4711;
  readonly calls: CallName[] = [];
  readonly parameters: unknown[] = [];
  isDead = false;
  /** Answers nothing more, as if its event loop stood still. */
  isStuck = false;

  constructor(
    readonly script: Script,
    readonly listener: LinkListener,
  ) {
    queueMicrotask(() => this.isDead || listener.onMessage({ kind: 'ready' }));
  }

  post({ id, call, parameters }: ToHost): void {
    this.calls.push(call);
    this.parameters.push(parameters);
    if (this.isStuck) return;
    queueMicrotask(() => {
      if (this.isDead) return;
      try {
        const value = this.script[call]?.(parameters as never);
        this.listener.onMessage({ kind: 'result', id, value });
      } catch (error) {
        const { message, code } = error as NodeJS.ErrnoException;
        this.listener.onMessage({ kind: 'error', id, error: { message, code } });
      }
    });
  }

  die(reason = 'it fell'): void {
    if (this.isDead) return;
    this.isDead = true;
    queueMicrotask(() => this.listener.onExit(reason));
  }

  kill(): void {
    this.die('killed');
  }
}
