import { deviceType } from '../command-definition.js';
import { read } from '../commands/block-io.js';
import { verify } from '../commands/block-verify.js';

/** CONTROL: NACA is looked at, and refused. */
export const CONTROL = 0x04;

/** Bytes of a CDB usage map that are evaluated as a whole. */
export const two = [0xff, 0xff] as const;
export const four = [0xff, 0xff, 0xff, 0xff] as const;
export const eight = [...four, ...four] as const;

/** What most commands of a direct access block device have in common. */
export const common = {
  deviceTypes: [deviceType.directAccess],
  medium: false,
  ignoresUnitAttention: false,
  activity: 'other',
} as const;

/** Commands that tell of the unit, and commands that need what was written to be stable. */
export const primary = { ...common, direction: 'in' } as const;
export const flushing = { ...common, medium: true, direction: 'none', activity: 'write' } as const;

/** READ, WRITE and VERIFY, in every length of CDB. */
export const reading = {
  ...common,
  medium: true,
  direction: 'in',
  readsBlocks: true,
  activity: 'read',
  execute: read,
} as const;
export const writing = { ...common, medium: true, direction: 'out', activity: 'write' } as const;
export const verifying = {
  ...common,
  medium: true,
  direction: 'out',
  activity: 'read',
  execute: verify,
} as const;
