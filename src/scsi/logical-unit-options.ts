import type { CopyManager } from './copy-manager.js';
import type { ModeStore } from './mode-pages.js';
import type { ReservationStore } from './saved-reservations.js';
import type { TargetPortGroups } from './target-port-groups.js';
import type { UnitLimits } from './unit.js';

export interface LogicalUnitOptions extends Partial<UnitLimits> {
  /** T10 vendor identification, at most 8 characters. Default `LUNETTE`. */
  readonly vendor?: string;
  /** Product identification, at most 16. Default `DISK`. */
  readonly product?: string;
  /** Product revision level, at most 4. */
  readonly revision?: string;
  /** Unit serial number; the world wide name is made of it. A function is asked at each INQUIRY. */
  readonly serial?: string | (() => string);
  /** The medium can be ejected and loaded. Default false. */
  readonly removable?: boolean;
  /** The target's ports and their access states; shared by the units that are reached through them. */
  readonly portGroups?: TargetPortGroups;
  /** Keeps saved mode pages. Without one MODE SELECT cannot save. */
  readonly modeStore?: ModeStore;
  /** Keeps persistent reservations through a loss of power. Default: APTPL is refused. */
  readonly reservationStore?: ReservationStore;
  /**
   * Logical units that share one can be copied between: an initiator of any of them can read and write each whose
   * designator it knows, also where the transport does not let it log in. Default: copies inside the unit only.
   */
  readonly copyManager?: CopyManager;
  /** Told of failures that are the handler's own: neither a SenseError nor an errno. */
  readonly log?: (message: string) => void;
  /**
   * Have READ(32), WRITE(32) and the other commands of 32 bytes. Default false: SBC-3 means them for protection
   * information of type 2, and some initiators do not expect CDBs of more than 16 bytes in REPORT SUPPORTED
   * OPERATION CODES.
   */
  readonly longCommands?: boolean;
  /**
   * Called between the pieces of an operation in the background (FORMAT UNIT, SANITIZE) and of a copy: lets other
   * commands have their turn, or slows it down. Default: goes on as soon as the disk's verb is done, which keeps an event loop
   * busy where the verbs are synchronous.
   */
  readonly pause?: () => void | Promise<void>;
}
