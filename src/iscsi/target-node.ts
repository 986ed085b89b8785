import type { LogicalUnit } from '../scsi/logical-unit.js';
import type { CommandObserver } from './command-observer.js';
import type { Session } from './session.js';

/** One iSCSI target (RFC 7143 4.2.5.1): a name, its logical units, and who is logged in. */
export class TargetNode {
  readonly sessions = new Set<Session>();

  /**
   * @param name in lower case
   * @param luns by number, 0 to 16383
   */
  constructor(
    readonly name: string,
    readonly luns: ReadonlyMap<number, LogicalUnit>,
    readonly alias: string | undefined,
    readonly observer: CommandObserver | undefined,
  ) {}

  /** Whether LUN 0 is all there is: the unit's own REPORT LUNS is right then. */
  get hasOnlyLunZero(): boolean {
    return this.luns.size === 1 && this.luns.has(0);
  }
}
