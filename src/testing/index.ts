/* The package entry `lunette/testing`: a TCMU kernel without a kernel, and an initiator to talk through it. */
export { EmulatedKernel } from './emulated-kernel.js';
export type { EmulatedKernelOptions } from './emulated-kernel.js';
export { Initiator } from './initiator.js';
export type { Capacity, InquiryData } from './initiator.js';
export { PendingCommand } from './pending-command.js';
export { ScsiError } from './scsi-error.js';
export type { Transport, TransportRequest, TransportResponse } from './transport.js';
