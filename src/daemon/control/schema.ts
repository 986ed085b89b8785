/*
 * What is said over the control socket. Every method's parameters and result, as zod has them: the daemon checks
 * requests by these, clients check answers, and the JSON schema is made of them. No import but zod, as clients
 * load this file too.
 */
import * as z from 'zod';

const count = z.number().int().nonnegative();
const deviceName = z
  .string()
  .min(1)
  .max(512)
  .describe('HBA/NAME as `lunette ls` has it, `user_0/disk1`, or NAME alone where one device has it');
const oneDevice = z.strictObject({ device: deviceName });
const nothing = z.strictObject({});

export const logLevelSchema = z.enum(['debug', 'info', 'warn', 'error']);

export const deviceSummarySchema = z.object({
  name: z.string().describe('HBA/NAME; export/HANDLER.N of a disk of --export'),
  transport: z
    .enum(['tcmu', 'iscsi'])
    .describe('how its commands come: LIO and TCMU, or the embedded iSCSI target alone'),
  state: z.string().describe('new, serving, paused, broken, restarting, closing or closed'),
  handler: z.string().describe('subtype of the handler that serves it'),
  size: count.describe('capacity in bytes'),
  inFlight: count.describe('commands taken off the ring and not answered yet'),
});

export const deviceDetailsSchema = deviceSummarySchema.extend({
  config: z.string().describe('SUBTYPE/CFGSTRING'),
  path: z
    .string()
    .describe('character device of the ring; URLs of a disk that the embedded iSCSI target alone has'),
  blockSize: count.describe('logical block length in bytes'),
  readOnly: z.boolean(),
  thin: z.boolean().describe('logical blocks can be unmapped'),
  vendor: z.string(),
  product: z.string(),
  revision: z.string(),
  serial: z.string().describe('unit serial number'),
  commandTimeout: z.number().nonnegative().describe('milliseconds a command may take; 0 for ever'),
  isolation: z
    .string()
    .optional()
    .describe('who serves it: none (the daemon’s own thread), thread or process'),
  pid: count.optional().describe('process that serves it'),
  restarts: count.optional().describe('times that its thread or process died and was started again'),
});

export const latencySchema = z.object({
  samples: count.describe('commands measured: about one in sixteen'),
  total: count.describe('sum of the latencies in microseconds'),
  buckets: z
    .array(count)
    .max(64)
    .describe('buckets[0] counts latencies below 1 µs, buckets[i] those from 2^(i-1) to below 2^i µs'),
});

export const deviceStatisticsSchema = z.object({
  name: z.string(),
  inFlight: count.describe('commands taken off the ring and not answered yet'),
  commands: count.describe('commands answered'),
  reads: count,
  writes: count,
  unmaps: count,
  readBytes: count,
  writtenBytes: count,
  errors: count.describe('commands whose status was neither GOOD nor CONDITION MET'),
  senseKeys: z.array(count).max(16).describe('CHECK CONDITION by sense key'),
  handlerErrors: count.describe('failures that were the handler’s own fault (04h/44h/00h)'),
  timeouts: count.describe('commands that outlived their budget'),
  latency: latencySchema,
});

const stateResult = z.object({ name: z.string(), state: z.string() });
const subscription = z.object({
  subscription: count.describe('names it in trace.stop and in notifications'),
});

export interface MethodDefinition {
  readonly summary: string;
  readonly params: z.ZodObject;
  readonly result: z.ZodType;
}

/** The methods, by name. */
export const methods = {
  'rpc.discover': {
    summary: 'This interface as an OpenRPC document',
    params: nothing,
    result: z.record(z.string(), z.unknown()),
  },
  version: {
    summary: 'Who answers',
    params: nothing,
    result: z.object({
      version: z.string().describe('of the package'),
      pid: count,
      uptime: z.number().nonnegative().describe('seconds'),
    }),
  },
  list: {
    summary: 'The devices that are served',
    params: nothing,
    result: z.object({ devices: z.array(deviceSummarySchema) }),
  },
  show: { summary: 'All about one device', params: oneDevice, result: deviceDetailsSchema },
  pause: {
    summary:
      'Take no more commands off the ring, and wait until those taken are answered; more queue up in the kernel, ' +
      'which gives up on them after its own cmd_time_out',
    params: oneDevice.extend({
      timeout: z
        .number()
        .nonnegative()
        .max(3600)
        .default(10)
        .describe('seconds to wait; the device stays paused where they are over'),
    }),
    result: stateResult,
  },
  resume: { summary: 'Go on after pause', params: oneDevice, result: stateResult },
  reload: {
    summary: 'Load the handler’s code anew, under I/O',
    params: oneDevice,
    result: stateResult,
  },
  stats: {
    summary: 'Counters since each device was opened',
    params: z.strictObject({ device: deviceName.optional().describe('only this one') }),
    result: z.object({
      time: z.number().describe('when they were read: milliseconds of a clock that never goes back'),
      devices: z.array(deviceStatisticsSchema),
    }),
  },
  'trace.start': {
    summary: 'Be sent a `trace` notification for each batch of commands the device answers',
    params: oneDevice,
    result: subscription,
  },
  'trace.stop': { summary: 'No more of them', params: subscription.strict(), result: z.object({}) },
  'logLevel.get': {
    summary: 'Least level that is logged',
    params: nothing,
    result: z.object({ level: logLevelSchema }),
  },
  'logLevel.set': {
    summary: 'Log from this level on',
    params: z.strictObject({ level: logLevelSchema }),
    result: z.object({ level: logLevelSchema }),
  },
} as const satisfies Record<string, MethodDefinition>;

export const tracedCommandSchema = z.object({
  time: z.number().describe('when it was answered: milliseconds since the epoch'),
  device: z.string(),
  cdb: z.string().describe('hexadecimal, at most the first 32 bytes'),
  name: z.string().describe('as the standards write it'),
  status: count.max(255).describe('SAM-5 status code'),
  sense: z.string().optional().describe('sense data in hexadecimal, at most the first 32 bytes'),
  microseconds: z.number().nonnegative().describe('from the ring to the answer'),
  bytes: count.describe('transferred'),
});

/** What the daemon sends unasked. */
export const notifications = {
  trace: z.object({
    subscription: count,
    commands: z.array(tracedCommandSchema),
    dropped: count.describe('commands since the last notification that are missing: they came too fast'),
    ended: z.boolean().optional().describe('the device is gone: this is the last one'),
  }),
} as const;

export type MethodName = keyof typeof methods;
/** What a caller may leave out is optional here. */
export type Params<Name extends MethodName> = z.input<(typeof methods)[Name]['params']>;
/** As the daemon sees them: defaults filled in. */
export type CheckedParams<Name extends MethodName> = z.output<(typeof methods)[Name]['params']>;
export type Result<Name extends MethodName> = z.output<(typeof methods)[Name]['result']>;

export type LogLevelName = z.output<typeof logLevelSchema>;
export type DeviceSummary = z.output<typeof deviceSummarySchema>;
export type DeviceDetails = z.output<typeof deviceDetailsSchema>;
export type DeviceStatisticsReport = z.output<typeof deviceStatisticsSchema>;
export type Latency = z.output<typeof latencySchema>;
export type TracedCommand = z.output<typeof tracedCommandSchema>;
export type TraceNotification = z.output<typeof notifications.trace>;

/** Error codes beyond those of JSON-RPC 2.0 itself. */
export const controlError = {
  noSuchDevice: -32001,
  notSupported: -32002,
  /** The device is in no state for it. */
  wrongState: -32003,
  /** The time the caller gave is over. */
  timedOut: -32004,
  /** What was asked for was tried and failed. */
  failed: -32005,
} as const;
