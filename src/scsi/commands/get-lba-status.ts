import { readUint32, writeUint32, writeUint64 } from '../big-endian.js';
import type { CommandDefinition } from '../command-definition.js';
import type { ScsiCommand } from '../command.js';
import { fillDataIn } from '../data-transfer.js';
import type { Extent } from '../disk.js';
import { invalidFieldInCdb } from '../invalid-field.js';
import { additionalSense, senseKey, SenseError } from '../sense.js';
import type { Unit } from '../unit.js';

/** PROVISIONING STATUS (SBC-3 table 51). */
const provisioning = { mapped: 0, deallocated: 1 } as const;

const HEADER = 8;
const DESCRIPTOR = 16;
/** Descriptors of one answer, however large the allocation length is. */
const MAX_DESCRIPTORS = 1024;
/** Questions to the disk for one answer: a disk may answer each with a single byte. */
const MAX_QUESTIONS = 4096;
const MAX_BLOCKS = 0xffff_ffff;

interface Run {
  readonly lba: number;
  blocks: number;
  readonly status: number;
}

/** Append a run, joined with the one before where both are alike. */
function append(runs: Run[], { lba, blocks, status }: Run): void {
  const last = runs.at(-1);
  if (last?.status === status && last.blocks + blocks <= MAX_BLOCKS) {
    last.blocks += blocks;
    return;
  }
  for (let done = 0; done < blocks; done += MAX_BLOCKS) {
    runs.push({ lba: lba + done, blocks: Math.min(MAX_BLOCKS, blocks - done), status });
  }
}

/** Blocks that are wholly inside the hole `extent`; none where it has storage. */
function holeBlocks({ hole, offset, length }: Extent, blockSize: number): [first: number, end: number] {
  const first = Math.ceil(offset / blockSize);
  return [first, hole ? Math.floor((offset + length) / blockSize) : first];
}

/** The state of the blocks from `lba` on: as many runs as are wanted, or all to the end of the medium. */
async function provisioningFrom(
  unit: Unit,
  { context }: ScsiCommand,
  lba: number,
  wanted: number,
): Promise<Run[]> {
  const { disk, blockSize, blocks } = unit;
  const runs: Run[] = [];
  const end = blocks * blockSize;
  /** Blocks before it are in `runs`. */
  let next = lba;
  const addUpTo = (stop: number, status: number): void => {
    if (stop > next) append(runs, { lba: next, blocks: stop - next, status });
    next = Math.max(next, stop);
  };
  let offset = lba * blockSize;
  for (let asked = 0; disk.extents && offset < end && runs.length <= wanted; asked++) {
    context.signal.throwIfAborted();
    const extents = asked < MAX_QUESTIONS ? await disk.extents(offset, end - offset, context) : [];
    const covered = extents.reduce((last, extent) => Math.max(last, extent.offset + extent.length), 0);
    // An answer that does not get further must not be asked for again.
    if (covered <= offset) break;
    for (const extent of extents) {
      const [first, last] = holeBlocks(extent, blockSize);
      if (last <= first) continue;
      addUpTo(Math.min(first, blocks), provisioning.mapped);
      addUpTo(Math.min(last, blocks), provisioning.deallocated);
    }
    offset = covered;
    addUpTo(Math.min(Math.floor(covered / blockSize), blocks), provisioning.mapped);
  }
  // What the disk does not know, and all of a disk without holes, is mapped.
  if (runs.length <= wanted) addUpTo(blocks, provisioning.mapped);
  return runs.slice(0, wanted);
}

/** GET LBA STATUS(16), (32) (SBC-3 5.7, SBC-4 5.8). */
export async function getLbaStatus(
  unit: Unit,
  command: ScsiCommand,
  definition: CommandDefinition,
): Promise<number> {
  const { cdb } = command;
  const long = definition.usage.length === 32;
  const lba = definition.address!.lba(cdb);
  const allocationLength = readUint32(cdb, long ? 28 : 10);
  const reportType = long ? 10 : 14;
  if (cdb[reportType] !== 0) throw invalidFieldInCdb(reportType, 'only REPORT TYPE 0, all, is supported');
  if (lba >= unit.blocks) {
    throw new SenseError(
      senseKey.illegalRequest,
      additionalSense.lbaOutOfRange,
      `block ${lba} is not on a disk of ${unit.blocks} blocks`,
    );
  }
  const room = Math.floor((allocationLength - HEADER) / DESCRIPTOR);
  const runs = await provisioningFrom(unit, command, lba, Math.max(1, Math.min(MAX_DESCRIPTORS, room)));
  const data = new Uint8Array(HEADER + DESCRIPTOR * runs.length);
  // PARAMETER DATA LENGTH counts what follows it.
  writeUint32(data, 0, data.length - 4);
  runs.forEach((run, index) => {
    const at = HEADER + DESCRIPTOR * index;
    writeUint64(data, at, run.lba);
    writeUint32(data, at + 8, run.blocks);
    data[at + 12] = run.status;
  });
  return fillDataIn(command, data, allocationLength);
}
