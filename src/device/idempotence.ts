// HOT PATH: isIdempotent() is asked about every command.
import type { Disk } from '../scsi/disk.js';
import { opcode, serviceAction } from '../scsi/opcode.js';

/** What a byte of the table says of the operation code. */
const ONCE = 1;
/** The service action in byte 1 decides. */
const BY_SERVICE_ACTION = 2;

/** THIRD-PARTY COPY OUT: all that copy or fix what is copied; not COPY OPERATION ABORT. */
const ABORT = 0x1c;
/** Variable length CDBs (SBC-3 table 14): ORWRITE(32) and WRITE ATOMIC(32). */
const ORWRITE_32 = 0x000e;
const WRITE_ATOMIC_32 = 0x000f;

/**
 * Tells which commands may be run again after a crash that left it open how far they had come. A write, an UNMAP or a
 * FORMAT UNIT ends the same way however often it runs. What depends on what it finds does not: COMPARE AND WRITE
 * would miscompare with what it wrote itself, an ORWRITE or a copy onto its own source would see its own result, and
 * PERSISTENT RESERVE OUT counts generations.
 */
export class Idempotence {
  readonly #byOpcode = new Uint8Array(256);

  /** @param disk whose own commands run once, unless they say that they are idempotent */
  constructor(readonly disk: Pick<Disk, 'vendorCommands'>) {
    const { compareAndWrite, orWrite16, writeAtomic16, persistentReserveOut } = opcode;
    for (const code of [compareAndWrite, orWrite16, writeAtomic16, persistentReserveOut]) {
      this.#byOpcode[code] = ONCE;
    }
    this.#byOpcode[opcode.thirdPartyCopyOut] = this.#byOpcode[opcode.variableLength] = BY_SERVICE_ACTION;
    for (const { opcode: code, idempotent } of disk.vendorCommands ?? [])
      this.#byOpcode[code] = idempotent ? 0 : ONCE;
  }

  isIdempotent(cdb: Uint8Array): boolean {
    const how = this.#byOpcode[cdb[0]];
    return how === 0 || (how === BY_SERVICE_ACTION && mayRepeat(cdb));
  }
}

function mayRepeat(cdb: Uint8Array): boolean {
  if (cdb[0] === opcode.thirdPartyCopyOut) return (cdb[1] & 0x1f) === ABORT;
  const action = (cdb[8] << 8) | cdb[9];
  switch (action) {
    case ORWRITE_32:
    case WRITE_ATOMIC_32:
      return false;
    default:
      return action <= serviceAction.getLbaStatus32;
  }
}
