/* The package's front door: what a handler is written with, and what serves it. */
export { defineHandler, SenseError, additionalSense, senseKey } from './handlers/contract.js';
export type {
  CommandContext,
  Disk,
  Done,
  Extent,
  Handler,
  HandlerLog,
  OpenRequest,
  Hold,
  VendorCommand,
} from './handlers/contract.js';
export { flag, integer, size, text } from './handlers/options.js';
export { formatSize, parseSize } from './handlers/size-text.js';
export type { Option } from './handlers/options.js';
export { Device } from './device/device.js';
export type { DeviceState } from './device/device.js';
export type { DeviceOptions } from './device/device-options.js';
export type { RingRegion } from './ring/region.js';
