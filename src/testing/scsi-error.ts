import { decodeSense, describeSense, type DecodedSense } from '../scsi/sense-data.js';
import { scsiStatus } from '../scsi/status.js';

/** A command that did not end with GOOD. */
export class ScsiError extends Error {
  override readonly name = 'ScsiError';
  /** Undefined for a status without sense data. */
  readonly sense: DecodedSense | undefined;

  constructor(
    readonly cdb: Uint8Array,
    /** SAM-5 status code. */
    readonly status: number,
    sense: Uint8Array,
  ) {
    const decoded = status === scsiStatus.checkCondition ? decodeSense(sense) : undefined;
    const what = decoded ? describeSense(decoded) : `status ${status.toString(16).padStart(2, '0')}h`;
    super(`command ${cdb[0].toString(16).padStart(2, '0')}h ended with ${what}`);
    this.sense = decoded;
  }
}
