import { hasWriteCache } from './unit.js';
import type { Disk } from './disk.js';
import type { SenseFormat } from './sense-data.js';

/** One mode page: its bytes, header included, and which bits of them MODE SELECT may change. */
export interface ModePage {
  readonly code: number;
  readonly current: Uint8Array;
  readonly defaults: Uint8Array;
  readonly changeable: Uint8Array;
}

/** A page of `length` bytes after its header, with single bytes set; offsets count from the header. */
function page(
  code: number,
  length: number,
  values: Readonly<Record<number, number>>,
  changeable: Readonly<Record<number, number>> = {},
): ModePage {
  const bytes = (content: Readonly<Record<number, number>>): Uint8Array => {
    const result = new Uint8Array(2 + length);
    result[0] = code;
    result[1] = length;
    for (const [at, value] of Object.entries(content)) result[Number(at)] = value;
    return result;
  };
  return { code, current: bytes(values), defaults: bytes(values), changeable: bytes(changeable) };
}

export const modePage = {
  readWriteErrorRecovery: 0x01,
  caching: 0x08,
  control: 0x0a,
  informationalExceptions: 0x1c,
  all: 0x3f,
} as const;

const bit = {
  /** Caching, byte 2: write cache enabled. */
  wce: 0x04,
  /** Control, byte 2: sense data in descriptor format. */
  dSense: 0x04,
  /** Control, byte 2: log parameters are not saved. */
  gltsd: 0x02,
  /** Control, byte 3: queue error management. */
  qerr: 0x06,
  /** Control, byte 4: software write protect. */
  swp: 0x08,
  /** Control, byte 5: task aborted status. */
  tas: 0x40,
} as const;

/** The mode parameters of one logical unit (SPC-4 7.5, SBC-3 6.5). Shared by all initiators. */
export class ModePages {
  readonly pages: readonly ModePage[];
  readonly #caching: Uint8Array;
  readonly #control: Uint8Array;

  constructor(disk: Disk) {
    const cached = hasWriteCache(disk);
    const caching = page(
      modePage.caching,
      0x12,
      { 2: cached ? bit.wce : 0 },
      // A disk without a cache cannot grow one; one that has it can be told to write through.
      { 2: cached ? bit.wce : 0 },
    );
    // QUEUE ALGORITHM MODIFIER 1: commands may be reordered without restriction.
    const control = page(
      modePage.control,
      0x0a,
      { 2: bit.gltsd, 3: 0x10 },
      { 2: bit.dSense, 3: bit.qerr, 4: bit.swp, 5: bit.tas },
    );
    this.pages = [
      // AWRE and ARRE: what reassigns bad blocks, if anything, is below us and does it by itself.
      page(modePage.readWriteErrorRecovery, 0x0a, { 2: 0xc0 }),
      caching,
      control,
      page(modePage.informationalExceptions, 0x0a, {}),
    ];
    this.#caching = caching.current;
    this.#control = control.current;
  }

  find(code: number): ModePage | undefined {
    return this.pages.find((candidate) => candidate.code === code);
  }

  /** WCE: a write may be answered before its data is stable. */
  get writeCacheEnabled(): boolean {
    return (this.#caching[2] & bit.wce) !== 0;
  }

  /** SWP: refuse writes. */
  get softwareWriteProtect(): boolean {
    return (this.#control[4] & bit.swp) !== 0;
  }

  /** QERR: which commands an error of one aborts. */
  get queueErrorManagement(): 'none' | 'all' | 'nexus' {
    const qerr = (this.#control[3] >> 1) & 0x03;
    return qerr === 0 ? 'none' : qerr === 1 ? 'all' : 'nexus';
  }

  /** TAS: commands that another nexus aborted end with TASK ABORTED. */
  get taskAbortedStatus(): boolean {
    return (this.#control[5] & bit.tas) !== 0;
  }

  /** D_SENSE. */
  get senseFormat(): SenseFormat {
    return (this.#control[2] & bit.dSense) !== 0 ? 'descriptor' : 'fixed';
  }
}
