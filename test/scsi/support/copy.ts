import { expect } from 'chai';
import * as cdb from '../../../src/scsi/cdb.js';
import type {
  CopyListFields,
  PopulateTokenFields,
  WriteUsingTokenFields,
} from '../../../src/scsi/cdb-copy.js';
import { CopyManager, designatorsOf, type CopyManagerOptions } from '../../../src/scsi/copy-manager.js';
import type { Disk } from '../../../src/scsi/disk.js';
import type { LogicalUnit } from '../../../src/scsi/logical-unit.js';
import type { Response } from '../../../src/scsi/memory-command.js';
import { good, readyUnit, run } from './unit.js';

/** Logical units that can be copied between, each with a serial number of its own. */
export function unitsOf(disks: readonly Disk[], options?: CopyManagerOptions): LogicalUnit[] {
  const copyManager = new CopyManager(options);
  return disks.map((disk, index) => readyUnit(disk, { serial: `copy-${index}`, copyManager }));
}

/** The targets of a parameter list that names these units. */
export function targetsOf(...units: LogicalUnit[]): CopyListFields['targets'] {
  return units.map((unit) => ({ ...designatorsOf(unit)[0], blockLength: unit.blockSize }));
}

/** EXTENDED COPY(LID1), as it ends. */
export function extendedCopy(
  unit: LogicalUnit,
  fields: CopyListFields,
  options?: Parameters<typeof run>[3],
): Promise<Response> {
  const list = cdb.extendedCopyParameters(fields);
  return run(unit, cdb.extendedCopy(list.length), list, options);
}

export function populate(unit: LogicalUnit, listId: number, fields: PopulateTokenFields): Promise<Response> {
  const list = cdb.populateTokenParameters(fields);
  return run(unit, cdb.populateToken(listId, list.length), list);
}

export function writeToken(
  unit: LogicalUnit,
  listId: number,
  fields: WriteUsingTokenFields,
): Promise<Response> {
  const list = cdb.writeUsingTokenParameters(fields);
  return run(unit, cdb.writeUsingToken(listId, list.length), list);
}

/** What RECEIVE ROD TOKEN INFORMATION and RECEIVE COPY STATUS(LID4) tell. */
export interface TokenInformation {
  readonly serviceAction: number;
  readonly status: number;
  readonly completion: number;
  readonly sense: Uint8Array;
  readonly blocks: number;
  readonly token: Uint8Array | undefined;
}

export function decodeTokenInformation(data: Uint8Array): TokenInformation {
  const view = new DataView(data.buffer, data.byteOffset, data.length);
  expect(view.getUint32(0), 'AVAILABLE DATA').to.equal(data.length - 4);
  const end = 32 + data[13];
  const hasToken = data.length > end && view.getUint32(end) > 0;
  return {
    serviceAction: data[4],
    status: data[5],
    completion: data[12],
    sense: data.slice(32, 32 + data[14]),
    blocks: Number(view.getBigUint64(16)),
    token: hasToken ? data.slice(end + 6) : undefined,
  };
}

export async function tokenInformation(unit: LogicalUnit, listId: number): Promise<TokenInformation> {
  return decodeTokenInformation(await good(unit, cdb.receiveRodTokenInformation(listId, 4096)));
}

/** A token of these blocks. */
export async function tokenOf(unit: LogicalUnit, ...ranges: cdb.BlockRange[]): Promise<Uint8Array> {
  const { status } = await populate(unit, 1, { ranges });
  expect(status).to.equal(0);
  const { token } = await tokenInformation(unit, 1);
  expect(token).to.have.length(512);
  return token!;
}
