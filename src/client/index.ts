/* The package entry `lunette/client`: see and control a running daemon from another program. */
export { connect, ControlClient } from './client.js';
export { ConnectionLost, NoDaemon } from './errors.js';
export { latencyBetween, latencyPercentile } from './latency.js';
export { Trace } from './trace.js';
export { RpcError, rpcError } from '../daemon/control/json-rpc.js';
export { DEFAULT_CONTROL_PATH } from '../daemon/control/control-path.js';
export { controlError } from '../daemon/control/schema.js';
export type {
  DeviceDetails,
  DeviceStatisticsReport,
  DeviceSummary,
  Latency,
  LogLevelName,
  MethodName,
  Params,
  Result,
  TracedCommand,
} from '../daemon/control/schema.js';
