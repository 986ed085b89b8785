import { readUint16, writeUint16 } from './big-endian.js';
import type { Disk } from './disk.js';
import type { SenseFormat } from './sense-data.js';
import { describeFailure } from './errno.js';
import { hasWriteCache } from './unit.js';

/** One mode page or subpage: its bytes, header included, and which bits of them MODE SELECT may change. */
export interface ModePage {
  readonly code: number;
  /** 0 for a page that is not a subpage. */
  readonly subpage: number;
  /** Bytes of its header: 2, or 4 in the format of subpages (SPC-4 7.5.7). */
  readonly headerLength: number;
  readonly current: Uint8Array;
  readonly defaults: Uint8Array;
  /** What `current` becomes at power on and reset. */
  readonly saved: Uint8Array;
  readonly changeable: Uint8Array;
  /** The first byte with a value that its changeable bits must not have, if there is one. */
  readonly invalidByte?: (values: Uint8Array) => number | undefined;
}

/** Mode pages that were saved: by page, `08`, or page and subpage, `1c/02`; all bytes of each in hexadecimal. */
export type SavedModePages = Readonly<Record<string, string>>;

/** Where saved values are kept (SP of MODE SELECT). Without one nothing can be saved. */
export interface ModeStore {
  load(): SavedModePages | undefined;
  /** A failure is thrown, and ends the MODE SELECT. */
  save(pages: SavedModePages): void | Promise<void>;
}

type Values = Readonly<Record<number, number>>;

/** A page of `length` bytes after its header, with single bytes set; offsets count from the header. */
function page(
  code: number,
  length: number,
  values: Values = {},
  changeable: Values = {},
  more: { subpage?: number; invalidByte?: ModePage['invalidByte'] } = {},
): ModePage {
  const { subpage = 0, invalidByte } = more;
  const headerLength = subpage === 0 ? 2 : 4;
  const bytes = (content: Values): Uint8Array => {
    const result = new Uint8Array(headerLength + length);
    if (subpage === 0) {
      result.set([code, length]);
    } else {
      result.set([code | 0x40, subpage]);
      writeUint16(result, 2, length);
    }
    for (const [at, value] of Object.entries(content)) result[Number(at)] = value;
    return result;
  };
  return {
    code,
    subpage,
    headerLength,
    current: bytes(values),
    defaults: bytes(values),
    saved: bytes(values),
    changeable: bytes(changeable),
    invalidByte,
  };
}

/** Mode page codes (SPC-4 table 455, SBC-3 table 181). */
export const modePage = {
  readWriteErrorRecovery: 0x01,
  disconnectReconnect: 0x02,
  caching: 0x08,
  control: 0x0a,
  powerCondition: 0x1a,
  informationalExceptions: 0x1c,
  all: 0x3f,
} as const;

/** Subpage codes, and the one that means all of them. */
export const modeSubpage = {
  /** Of the control page. */
  controlExtension: 0x01,
  /** Of the informational exceptions page. */
  logicalBlockProvisioning: 0x02,
  all: 0xff,
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
  /** Read-write error recovery, byte 7: thresholds of logical block provisioning are reported. */
  lbpere: 0x80,
  /** Logical block provisioning, byte 4: a threshold is told to one initiator. */
  situa: 0x01,
} as const;

/** Queue error management (SPC-4 table 463). 10b is reserved. */
const RESERVED_QERR = 0x04;

/** Threshold descriptors in the logical block provisioning page: bytes 16 and up, 8 each (SBC-3 6.5.9). */
const FIRST_THRESHOLD = 16;
const THRESHOLD_LENGTH = 8;
const ENABLED = 0x80;

/** What a threshold is about, and from which side it is reached (SBC-3 tables 189 and 191). */
const thresholdResource = { available: 0x01, used: 0x02 } as const;
const thresholdArming = { decreasing: 0x00, increasing: 0x01 } as const;

/** A threshold of thin provisioning that was enabled. */
export interface Threshold {
  readonly resource: 'available' | 'used';
  /** In threshold sets: 2^THRESHOLD EXPONENT logical blocks each (VPD page B2h). */
  readonly count: number;
}

function provisioningPage(): ModePage {
  const all = { enabled: ENABLED, count: 0xff };
  const second = FIRST_THRESHOLD + THRESHOLD_LENGTH;
  const changeable: Record<number, number> = { 4: bit.situa };
  for (const at of [FIRST_THRESHOLD, second]) {
    changeable[at] = all.enabled;
    for (let byte = at + 4; byte < at + 8; byte++) changeable[byte] = all.count;
  }
  const values = {
    [FIRST_THRESHOLD]: thresholdArming.decreasing,
    [FIRST_THRESHOLD + 1]: thresholdResource.available,
    [second]: thresholdArming.increasing,
    [second + 1]: thresholdResource.used,
  };
  const subpage = modeSubpage.logicalBlockProvisioning;
  return page(modePage.informationalExceptions, second + THRESHOLD_LENGTH - 4, values, changeable, {
    subpage,
  });
}

const hex = (bytes: Uint8Array): string =>
  Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');

const nameOf = ({ code, subpage }: ModePage): string =>
  hex(Uint8Array.of(code)) + (subpage === 0 ? '' : `/${hex(Uint8Array.of(subpage))}`);

/** The mode parameters of one logical unit (SPC-4 7.5, SBC-3 6.5). Shared by all initiators. */
export class ModePages {
  /** Grows with each change of current values. */
  generation = 0;
  /** In the order of page code and subpage code. */
  readonly pages: readonly ModePage[];
  readonly #store: ModeStore | undefined;
  readonly #recovery: Uint8Array;
  readonly #caching: Uint8Array;
  readonly #control: Uint8Array;
  readonly #provisioning: Uint8Array | undefined;

  /** @param log told of a store that does not hold saved mode pages: then the defaults are the saved values */
  constructor(disk: Disk, store?: ModeStore, log: (message: string) => void = () => undefined) {
    const cached = hasWriteCache(disk);
    const reportsUsage = disk.unmap !== undefined && disk.usage !== undefined;
    const lbpere = reportsUsage ? bit.lbpere : 0;
    // AWRE and ARRE: what reassigns bad blocks, if anything, is below us and does it by itself.
    const recovery = page(modePage.readWriteErrorRecovery, 0x0a, { 2: 0xc0, 7: lbpere }, { 7: lbpere });
    const caching = page(
      modePage.caching,
      0x12,
      { 2: cached ? bit.wce : 0 },
      // A disk without a cache cannot grow one; one that has it can be told to write through.
      { 2: cached ? bit.wce : 0 },
    );
    const control = page(
      modePage.control,
      0x0a,
      // QUEUE ALGORITHM MODIFIER 1: commands may be reordered without restriction.
      { 2: bit.gltsd, 3: 0x10 },
      { 2: bit.dSense, 3: bit.qerr, 4: bit.swp, 5: bit.tas },
      { invalidByte: (values) => ((values[3] & bit.qerr) === RESERVED_QERR ? 3 : undefined) },
    );
    const provisioning = reportsUsage ? provisioningPage() : undefined;
    this.pages = [
      recovery,
      page(modePage.disconnectReconnect, 0x0e),
      caching,
      control,
      page(modePage.control, 0x1c, {}, {}, { subpage: modeSubpage.controlExtension }),
      // No timers run: a power condition changes only by START STOP UNIT.
      page(modePage.powerCondition, 0x26),
      page(modePage.informationalExceptions, 0x0a),
      ...(provisioning ? [provisioning] : []),
    ];
    this.#recovery = recovery.current;
    this.#caching = caching.current;
    this.#control = control.current;
    this.#provisioning = provisioning?.current;
    this.#store = store;
    try {
      this.#load(store?.load());
    } catch (error) {
      log(`saved mode pages are not used: ${describeFailure(error)}`);
    }
    this.restore();
  }

  /** Whether values can be saved: the PS bit of each page. */
  get savable(): boolean {
    return this.#store !== undefined;
  }

  find(code: number, subpage = 0): ModePage | undefined {
    return this.pages.find((candidate) => candidate.code === code && candidate.subpage === subpage);
  }

  /** At power on and reset: the current values become the saved ones. */
  restore(): void {
    for (const { current, saved } of this.pages) current.set(saved);
    this.generation++;
  }

  /** SP of MODE SELECT: the current values become the saved ones. */
  save(): void | Promise<void> {
    if (!this.#store) return;
    for (const { current, saved } of this.pages) saved.set(current);
    return this.#store.save(Object.fromEntries(this.pages.map((each) => [nameOf(each), hex(each.saved)])));
  }

  /** What was saved by another version may have other pages, and other bits that can be changed. */
  #load(stored: SavedModePages | undefined): void {
    if (stored === undefined) return;
    if (typeof stored !== 'object' || stored === null)
      throw new TypeError('the saved mode pages are no object');
    for (const each of this.pages) {
      const text: unknown = stored[nameOf(each)];
      if (text === undefined) continue;
      if (typeof text !== 'string' || !/^([0-9a-f]{2})*$/.test(text)) {
        throw new TypeError(`the saved mode page ${nameOf(each)} is not hexadecimal`);
      }
      const bytes = Uint8Array.from(text.match(/../g) ?? [], (pair) => parseInt(pair, 16));
      if (bytes.length !== each.saved.length || each.invalidByte?.(bytes) !== undefined) continue;
      for (let at = each.headerLength; at < bytes.length; at++) {
        const mask = each.changeable[at];
        each.saved[at] = (each.defaults[at] & ~mask) | (bytes[at] & mask);
      }
    }
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
    const qerr = (this.#control[3] & bit.qerr) >> 1;
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

  /** The thresholds that are enabled, where LBPERE lets them be told. */
  get thresholds(): Threshold[] {
    const bytes = this.#provisioning;
    if (!bytes || (this.#recovery[7] & bit.lbpere) === 0) return [];
    const thresholds: Threshold[] = [];
    for (let at = FIRST_THRESHOLD; at < bytes.length; at += THRESHOLD_LENGTH) {
      if ((bytes[at] & ENABLED) === 0) continue;
      const resource = bytes[at + 1] === thresholdResource.used ? 'used' : 'available';
      thresholds.push({ resource, count: readUint16(bytes, at + 4) * 0x1_0000 + readUint16(bytes, at + 6) });
    }
    return thresholds;
  }

  /** SITUA: a threshold is told to one initiator, not to each. */
  get singleInitiatorThreshold(): boolean {
    return this.#provisioning !== undefined && (this.#provisioning[4] & bit.situa) !== 0;
  }
}
