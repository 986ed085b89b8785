import { writeUint16, writeUint32, writeUint64 } from './big-endian.js';
import type { ActivityCounters } from './statistics.js';
import type { Unit } from './unit.js';

/** Log page codes (SPC-4 table 378, SBC-3 table 137). */
export const logPage = {
  supportedPages: 0x00,
  writeErrorCounters: 0x02,
  readErrorCounters: 0x03,
  verifyErrorCounters: 0x05,
  nonMediumErrors: 0x06,
  logicalBlockProvisioning: 0x0c,
  startStopCycleCounter: 0x0e,
  generalStatistics: 0x19,
} as const;

/** The subpage that lists subpages. */
export const ALL_SUBPAGES = 0xff;

/** One log parameter: its code and value. */
export interface LogParameter {
  readonly code: number;
  readonly value: Uint8Array;
  /** FORMAT AND LINKING: a counter, text, or a list of fields (SPC-4 table 381). */
  readonly format: 'counter' | 'text' | 'list';
}

interface LogPage {
  readonly code: number;
  parameters(unit: Unit): LogParameter[];
  /** Set its counters to zero; absent where it has none that can be. */
  readonly reset?: (unit: Unit) => void;
  readonly available?: (unit: Unit) => boolean;
}

function counter(code: number, value: number, length = 8): LogParameter {
  const bytes = new Uint8Array(length);
  if (length === 8) writeUint64(bytes, 0, value);
  else writeUint32(bytes, 0, Math.min(0xffff_ffff, value));
  return { code, value: bytes, format: 'counter' };
}

/** Write, read and verify error counters (SPC-4 7.3.4): nothing here is corrected, or knows that it was. */
function errorPage(code: number, of: (unit: Unit) => ActivityCounters): LogPage {
  return {
    code,
    parameters: (unit) => {
      const { bytes, uncorrectedErrors } = of(unit);
      return [
        counter(0x0003, 0), // total errors corrected
        counter(0x0005, bytes), // total bytes processed
        counter(0x0006, uncorrectedErrors),
      ];
    },
    reset: (unit) => Object.assign(of(unit), { commands: 0, bytes: 0, uncorrectedErrors: 0 }),
  };
}

/** Used and available mapping resources in threshold sets (SBC-3 6.4.4). */
function provisioning({ thresholds }: Unit): LogParameter[] {
  const { used, available } = thresholds!.usage();
  const resource = (code: number, count: number): LogParameter => {
    const value = new Uint8Array(8);
    writeUint32(value, 0, count);
    value[4] = 0x02; // SCOPE: may be shared with other logical units
    return { code, value, format: 'list' };
  };
  return [resource(0x0001, available), resource(0x0002, used)];
}

/** Start-stop cycle counter (SPC-4 7.3.20). No date is known: blanks. */
function startStop({ medium }: Unit): LogParameter[] {
  const date = (code: number): LogParameter => ({
    code,
    value: new Uint8Array(6).fill(0x20),
    format: 'text',
  });
  return [
    date(0x0001),
    date(0x0002),
    { ...counter(0x0004, medium.starts, 4), format: 'list' },
    { ...counter(0x0006, medium.loads, 4), format: 'list' },
  ];
}

/** General statistics and performance (SPC-4 7.3.9). No intervals: time is not measured here. */
function generalStatistics({ statistics: { reads, writes }, blockSize }: Unit): LogParameter[] {
  const value = new Uint8Array(64);
  writeUint64(value, 0, reads.commands);
  writeUint64(value, 8, writes.commands);
  writeUint64(value, 16, Math.floor(writes.bytes / blockSize)); // received
  writeUint64(value, 24, Math.floor(reads.bytes / blockSize)); // transmitted
  return [
    { code: 0x0001, value, format: 'list' },
    { code: 0x0002, value: new Uint8Array(8), format: 'list' }, // idle time
    { code: 0x0003, value: new Uint8Array(8), format: 'list' }, // time interval
  ];
}

/** All but page 00h, in the order of their codes. */
const pages: readonly LogPage[] = [
  errorPage(logPage.writeErrorCounters, ({ statistics }) => statistics.writes),
  errorPage(logPage.readErrorCounters, ({ statistics }) => statistics.reads),
  errorPage(logPage.verifyErrorCounters, ({ statistics }) => statistics.verifies),
  {
    code: logPage.nonMediumErrors,
    parameters: ({ statistics }) => [counter(0x0000, statistics.nonMediumErrors)],
    reset: ({ statistics }) => void (statistics.nonMediumErrors = 0),
  },
  {
    code: logPage.logicalBlockProvisioning,
    parameters: provisioning,
    available: ({ thresholds }) => thresholds !== undefined,
  },
  { code: logPage.startStopCycleCounter, parameters: startStop },
  {
    code: logPage.generalStatistics,
    parameters: generalStatistics,
    reset: ({ statistics }) => {
      Object.assign(statistics.reads, { commands: 0, bytes: 0 });
      Object.assign(statistics.writes, { commands: 0, bytes: 0 });
    },
  },
];

function availablePages(unit: Unit): LogPage[] {
  return pages.filter(({ available }) => available?.(unit) ?? true);
}

const formatBits = { counter: 0x00, text: 0x01, list: 0x03 } as const;

function encodeParameter({ code, value, format }: LogParameter): Uint8Array {
  const data = new Uint8Array(4 + value.length);
  writeUint16(data, 0, code);
  data[2] = 0x20 | formatBits[format]; // TSD: not saved
  data[3] = value.length;
  data.set(value, 4);
  return data;
}

/** A log page's bytes. The DS bit: it is not saved. */
function encodePage(code: number, subpage: number, content: readonly number[]): Uint8Array {
  const data = new Uint8Array(4 + content.length);
  data[0] = code | (subpage === 0 ? 0 : 0x40) | (code === logPage.supportedPages ? 0 : 0x80);
  data[1] = subpage;
  writeUint16(data, 2, content.length);
  data.set(content, 4);
  return data;
}

/** Pages 00h and 00h/FFh: what there is (SPC-4 7.3.16, 7.3.17). */
export function supportedLogPages(unit: Unit, withSubpages: boolean): Uint8Array {
  const codes = [logPage.supportedPages, ...availablePages(unit).map(({ code }) => code)];
  if (!withSubpages) return encodePage(logPage.supportedPages, 0, codes);
  const list = [0, 0, 0, ALL_SUBPAGES, ...codes.slice(1).flatMap((code) => [code, 0])];
  return encodePage(logPage.supportedPages, ALL_SUBPAGES, list);
}

/** The parameters of a page, in the order of their codes; undefined where the unit does not have it. */
export function logParameters(unit: Unit, code: number): LogParameter[] | undefined {
  return availablePages(unit)
    .find((page) => page.code === code)
    ?.parameters(unit);
}

/** A page made of `parameters`. */
export function encodeLogPage(code: number, parameters: readonly LogParameter[]): Uint8Array {
  return encodePage(
    code,
    0,
    parameters.flatMap((parameter) => [...encodeParameter(parameter)]),
  );
}

/**
 * Set counters to zero.
 * @param code of one page, or 0 for all
 * @returns false where the unit does not have the page
 */
export function resetLogPages(unit: Unit, code: number): boolean {
  const selected = availablePages(unit).filter((page) => code === 0 || page.code === code);
  for (const page of selected) page.reset?.(unit);
  return selected.length > 0;
}
