import type { BlockAddress } from './block-address.js';
import type { Nexus, ScsiCommand } from './command.js';
import type { ValidBytes } from './data-transfer.js';
import type { Disk } from './disk.js';
import type { Activity } from './errno.js';
import type { Unit } from './unit.js';

/** Bytes of Data-In that are valid; nothing for a command without Data-In. A failure is thrown. */
export type Result = ValidBytes | void | Promise<ValidBytes | void>;

/** Runs one command. What it throws, or rejects with, becomes the command's sense data. */
export type Executor = (
  unit: Unit,
  command: ScsiCommand,
  definition: CommandDefinition,
  nexus: Nexus,
) => Result;

/** How a command stands to reservations: see CommandDefinition.reservation. */
export type ReservationClass = 'always' | 'read' | 'write' | 'own';

/** A row of the command table: all there is to know about a command. */
export interface CommandDefinition {
  readonly opcode: number;
  /** Bits 4..0 of byte 1, for operation codes that are shared by several commands. */
  readonly serviceAction?: number;
  /** As the standards write it: `READ CAPACITY(16)`. */
  readonly name: string;
  /** Standard and clause. */
  readonly reference: string;
  /** Peripheral device types that have the command (SPC-4 table 138). */
  readonly deviceTypes: readonly number[];
  /**
   * CDB usage data (SPC-4 6.35.3): the operation code and service action themselves, then a bit set for each
   * that is evaluated. As many bytes as the CDB has.
   */
  readonly usage: readonly number[];
  readonly direction: 'none' | 'in' | 'out';
  /** How the CDB names logical blocks, where it does. */
  readonly address?: BlockAddress;
  /** Data-In is those blocks: how much of it is valid follows from CDB and buffer, whatever `execute` returns. */
  readonly readsBlocks?: true;
  /** What an errno of the handler means here. */
  readonly activity: Activity;
  /** Needs the unit started: ends with NOT READY after START STOP UNIT stopped it. */
  readonly medium: boolean;
  /** Runs though a unit attention is pending, and leaves it pending (SPC-4 6.6.1, SAM-5 5.14). */
  readonly ignoresUnitAttention: boolean;
  /**
   * What a reservation held by another I_T nexus does to it (SPC-4 table 65, SBC-3 table 13): `always` runs,
   * `read` conflicts where reads are excluded, `write` conflicts with every reservation, and `own` is checked by
   * its executor (the reservation commands themselves). A function where it depends on the CDB.
   */
  readonly reservation: ReservationClass | ((cdb: Uint8Array) => ReservationClass);
  /** Whether a unit with this disk has the command. Default: each has. */
  readonly available?: (disk: Disk, features: UnitFeatures) => boolean;
  readonly execute: Executor;
}

/** What a unit was configured with, as far as its commands depend on it. */
export interface UnitFeatures {
  readonly removable: boolean;
  /** It has target port groups. */
  readonly portGroups: boolean;
  /** It has the commands of 32 bytes. */
  readonly longCommands: boolean;
}

/** Peripheral device types (SPC-4 table 138). */
export const deviceType = { directAccess: 0x00 } as const;
