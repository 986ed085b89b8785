/* The package entry `lunette/scsi`: the SCSI library, usable without a kernel and without a transport. */
export { LogicalUnit } from './logical-unit.js';
export type { LogicalUnitOptions } from './logical-unit-options.js';
export { CopyManager } from './copy-manager.js';
export type { CopyManagerOptions } from './copy-manager.js';
export type { ExecuteOptions, Response } from './memory-command.js';
export type {
  DataBuffer,
  MutableCommandContext,
  Nexus,
  ScsiCommand,
  TargetPort,
  TaskAttribute,
} from './command.js';
export { accessState, TargetPortGroups } from './target-port-groups.js';
export type { AccessState, TargetPortGroup } from './target-port-groups.js';
export type { CommandDefinition } from './command-definition.js';
export type { CommandContext, Disk, Done, Extent, Hold, VendorCommand } from './disk.js';
export { commandTable } from './command-table.js';
export { opcode, serviceAction } from './opcode.js';
export { vpdPage } from './commands/vital-product-data.js';
export { logPage } from './log-pages.js';
export { modePage, modeSubpage } from './mode-pages.js';
export type { ModeStore, SavedModePages } from './mode-pages.js';
export { reservationType } from './reservation-state.js';
export type { ReservationStore, SavedReservations } from './saved-reservations.js';
export { scsiStatus } from './status.js';
export { additionalSense, senseKey, SenseError } from './sense.js';
export type { SenseDetails } from './sense.js';
export { decodeSense, describeSense, encodeSense } from './sense-data.js';
export type { DecodedSense, SenseFormat } from './sense-data.js';
export * as cdb from './cdb.js';
