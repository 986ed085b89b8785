import { deviceType } from '../command-definition.js';

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
