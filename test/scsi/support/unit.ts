import { expect } from 'chai';
import type { DataBuffer, Nexus, ScsiCommand } from '../../../src/scsi/command.js';
import type { Disk } from '../../../src/scsi/disk.js';
import type { LogicalUnitOptions } from '../../../src/scsi/logical-unit-options.js';
import { LogicalUnit } from '../../../src/scsi/logical-unit.js';
import type { Response } from '../../../src/scsi/memory-command.js';
import { decodeSense, type DecodedSense } from '../../../src/scsi/sense-data.js';
import { scsiStatus } from '../../../src/scsi/status.js';

/** The nexus of every command here that does not name one. */
export const nexus: Nexus = { name: 'iqn.test:one' };

/** A unit that `nexus` has met already, so that no unit attention is pending. */
export function readyUnit(disk: Disk, options?: LogicalUnitOptions): LogicalUnit {
  const unit = new LogicalUnit(disk, options);
  unit.attentions.take(nexus);
  return unit;
}

interface RunOptions {
  readonly dataInLength?: number;
  readonly nexus?: Nexus;
  readonly signal?: AbortSignal;
}

export function run(
  unit: LogicalUnit,
  cdb: Uint8Array | readonly number[],
  dataOut?: Uint8Array,
  options: RunOptions = {},
): Promise<Response> {
  return unit.execute(Uint8Array.from(cdb), dataOut, { nexus, ...options });
}

/** Run a command that must end GOOD. @returns its Data-In */
export async function good(...parameters: Parameters<typeof run>): Promise<Uint8Array> {
  const { status, sense, dataIn } = await run(...parameters);
  expect(status, `status (sense ${Buffer.from(sense).toString('hex')})`).to.equal(scsiStatus.good);
  expect(sense).to.have.length(0);
  return dataIn;
}

/** `5/24/00` */
function numbers({ key, code }: DecodedSense): string {
  const hex = (value: number): string => value.toString(16).padStart(2, '0');
  return `${key.toString(16)}/${hex(code >> 8)}/${hex(code & 0xff)}`;
}

export function senseOf({ status, sense }: Pick<Response, 'status' | 'sense'>): string {
  if (status !== scsiStatus.checkCondition) return `status ${status}`;
  const decoded = decodeSense(sense);
  return decoded ? numbers(decoded) : 'no sense data';
}

/**
 * Run a command that must end with CHECK CONDITION.
 * @param sense as `5/24/00`
 * @returns the whole sense data, decoded
 */
export async function refused(sense: string, ...parameters: Parameters<typeof run>): Promise<DecodedSense> {
  const response = await run(...parameters);
  expect(senseOf(response)).to.equal(sense);
  return decodeSense(response.sense)!;
}

/** What a command ended with, in the order of its complete() calls. */
export interface Completion {
  readonly status: number;
  readonly sense: Uint8Array;
  readonly readLength: number | undefined;
}

function buffer(segments: readonly Uint8Array[]): DataBuffer {
  return { segments, byteLength: segments.reduce((sum, { length }) => sum + length, 0) };
}

/** A command as a transport makes it: data in any number of segments, completions counted. */
export class TestCommand implements ScsiCommand {
  readonly cdb = new Uint8Array(260);
  readonly cdbLength: number;
  readonly dataOut: DataBuffer;
  readonly dataIn: DataBuffer;
  readonly controller = new AbortController();
  readonly context = { fua: true, dpo: true, signal: this.controller.signal };
  readonly completions: Completion[] = [];
  readonly completed: Promise<Completion>;
  #resolve!: (completion: Completion) => void;

  constructor(cdb: ArrayLike<number>, segments: { out?: Uint8Array[]; in?: Uint8Array[] } = {}) {
    this.cdb.fill(0xff);
    this.cdb.set(cdb);
    this.cdbLength = cdb.length;
    this.dataOut = buffer(segments.out ?? []);
    this.dataIn = buffer(segments.in ?? []);
    this.completed = new Promise((resolve) => (this.#resolve = resolve));
  }

  complete(status: number, sense: Uint8Array = new Uint8Array(), readLength?: number): void {
    const completion = { status, sense: sense.slice(), readLength };
    this.completions.push(completion);
    this.#resolve(completion);
  }
}

/** Hand over a command. @returns how it ended; the command itself was filled in place */
export async function submit(unit: LogicalUnit, command: TestCommand): Promise<Completion> {
  unit.submit(command, nexus);
  const completion = await command.completed;
  expect(command.completions).to.have.length(1);
  return completion;
}

/** Views of one array, of the given lengths, in order. */
export function cut(bytes: Uint8Array, lengths: readonly number[]): Uint8Array[] {
  let at = 0;
  return lengths.map((length) => bytes.subarray(at, (at += length)));
}

/** A promise and its handles. */
export class Deferred<Value = void> {
  resolve!: (value: Value) => void;
  reject!: (error: unknown) => void;
  readonly promise = new Promise<Value>((resolve, reject) => {
    this.resolve = resolve;
    this.reject = reject;
  });
}
