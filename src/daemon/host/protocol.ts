import type { TraceBatch } from '../../device/command-trace.js';
import type { TimeoutPolicy } from '../../device/command-budget.js';
import type { ReplaceOptions } from '../../device/reload.js';
import type { TcmuDevice } from '../../target/uio.js';
import type { DeviceDetails, DeviceStatisticsReport, LogLevelName } from '../control/schema.js';

/*
 * What the daemon and the host of one device say to each other: plain data, which structured clone and JSON can both
 * carry. The daemon calls by number, and the host answers each call once; in between it tells of itself. Not one byte
 * of a disk goes this way.
 */

/** Settings of a device, as far as they are plain data. */
export interface HostSettings {
  readonly commandTimeout?: number;
  readonly onTimeout?: TimeoutPolicy;
  readonly traceVerbs?: boolean;
  readonly openTimeout?: number;
  readonly checkedBuffers?: boolean;
  readonly definitions?: string;
  readonly runtimeDirectory?: string;
  /** Milliseconds that the host's event loop may be kept from turning; 0 for ever. */
  readonly blockThreshold?: number;
}

/** Where handlers come from. */
export interface HandlerSource {
  /** Files and packages, as they were given to handlerRegistry(). */
  readonly modules: readonly string[];
  readonly prefix?: string;
}

/** What a host is started with. */
export interface HostStart {
  readonly handlers: HandlerSource;
  readonly settings: HostSettings;
  readonly log: { readonly level: LogLevelName; readonly format: 'text' | 'json' };
  /** For the marks of its event loop, where the daemon looks at them. */
  readonly loopMemory?: SharedArrayBuffer;
}

/** What the daemon remembers of an open device. */
export interface HostedState {
  readonly details: DeviceDetails;
  /** The data is in the host's memory. */
  readonly holdsData: boolean;
}

/** An error on its way. */
export interface PlainError {
  readonly message: string;
  readonly code?: string;
  readonly stack?: string;
}

/** How a reload went, on its way. */
export interface PlainOutcome {
  readonly device: string;
  readonly stall?: number;
  readonly error?: PlainError;
}

/**
 * The calls: their parameters and results. `config` is the configuration of the device's handler where the daemon has
 * read it.
 */
export interface HostCalls {
  /** Be ready to open such a device, without touching it. */
  prepare(parameters: { tcmu: TcmuDevice; config?: object }): void;
  /** Open the device and serve it. */
  open(parameters: {
    tcmu: TcmuDevice;
    config?: object;
    paused: boolean;
    writeCache?: boolean;
    logLevel: LogLevelName;
  }): HostedState;
  details(): HostedState;
  statistics(): DeviceStatisticsReport;
  quiesce(): void;
  resume(): void;
  resize(parameters: { size: number }): HostedState;
  setWriteCache(parameters: { enabled: boolean }): void;
  /** @returns the device as it is configured now */
  reconfigure(parameters: { devConfig: string; config?: object }): { tcmu: TcmuDevice; state: HostedState };
  reload(parameters: { config?: object; options?: ReplaceOptions }): HostedState;
  reloadModule(parameters: { origin: string; options?: ReplaceOptions }): {
    outcomes: PlainOutcome[];
    state: HostedState;
  };
  trace(parameters: { on: boolean }): void;
  logLevel(parameters: { level: LogLevelName }): void;
  flush(parameters: { patience: number }): void;
  close(parameters: { drainTimeout?: number }): void;
}

export type CallName = keyof HostCalls;
export type CallParameters<Name extends CallName> = Parameters<HostCalls[Name]>[0];
export type CallResult<Name extends CallName> = ReturnType<HostCalls[Name]>;

/** From the daemon to the host. */
export type ToHost = {
  readonly [Name in CallName]: {
    readonly id: number;
    readonly call: Name;
    readonly parameters: CallParameters<Name>;
  };
}[CallName];

/** From the host to the daemon. */
export type FromHost =
  /** It can be called. */
  | { readonly kind: 'ready' }
  /** It cannot be called and never will. */
  | { readonly kind: 'failed'; readonly error: PlainError }
  | { readonly kind: 'result'; readonly id: number; readonly value: unknown }
  | { readonly kind: 'error'; readonly id: number; readonly error: PlainError }
  | { readonly kind: 'trace'; readonly batch: TraceBatch }
  /** Now and again: its event loop turns, and these are its counters. */
  | {
      readonly kind: 'heartbeat';
      readonly statistics?: DeviceStatisticsReport;
      /** Of the device. */
      readonly state?: string;
    }
  /** It is to be ended, and another one to go on. */
  | { readonly kind: 'stuck'; readonly reason: string };

/** Milliseconds between two heartbeats. */
export const HEARTBEAT_INTERVAL = 500;

export function plainError(error: unknown): PlainError {
  if (!(error instanceof Error)) return { message: String(error) };
  const { message, code, stack } = error as NodeJS.ErrnoException;
  const cause = error.cause as NodeJS.ErrnoException | undefined;
  return { message, stack, code: code ?? cause?.code };
}

export function toError({ message, code, stack }: PlainError): Error {
  const error = Object.assign(new Error(message), code === undefined ? {} : { code });
  if (stack !== undefined) error.stack = stack;
  return error;
}
