import type { CommandDefinition, Result } from '../command-definition.js';
import type { ScsiCommand } from '../command.js';
import { deliveredLength, gather, takeDataOut, writeFrom } from '../data-transfer.js';
import type { CommandContext } from '../disk.js';
import { invalidFieldInCdb } from '../invalid-field.js';
import { additionalSense, senseKey, SenseError } from '../sense.js';
import type { Unit } from '../unit.js';
import { checkWritable, flagByte, startOf, takeFlags } from './block-io.js';

/** BYTCHK (SBC-3 table 110): what the blocks are compared with. */
const compare = { nothing: 0, allBlocks: 1, oneBlock: 3 } as const;

/** Bytes read at a time to check a range that is not transferred. */
const CHUNK = 1024 * 1024;

function byteCheck(cdb: Uint8Array): number {
  return (cdb[flagByte(cdb)] & 0x06) >> 1;
}

/**
 * Compare what the medium holds with what it should.
 * @param expected repeated where it is shorter @param base offset of `found` in the range that is compared
 * @throws SenseError MISCOMPARE, with the offset of the first different byte
 */
export function compareBytes(found: Uint8Array, expected: Uint8Array, base = 0): void {
  for (let at = 0; at < found.length; at++) {
    if (found[at] !== expected[at % expected.length]) {
      throw new SenseError(
        senseKey.miscompare,
        additionalSense.miscompareDuringVerify,
        `byte ${base + at} of the range differs`,
        { information: base + at },
      );
    }
  }
}

/** Read the range a piece at a time; compare each with the bytes it should hold, where there are any. */
async function verifyRange(
  unit: Unit,
  context: CommandContext,
  offset: number,
  length: number,
  expected?: Uint8Array,
): Promise<void> {
  const chunk = new Uint8Array(Math.min(length, CHUNK));
  for (let at = 0; at < length; at += chunk.length) {
    context.signal.throwIfAborted();
    const piece = chunk.subarray(0, Math.min(chunk.length, length - at));
    await unit.disk.read(piece, offset + at, context);
    if (!expected) continue;
    // One block of BYTCHK 3 stands for each block of the range; chunks are whole blocks.
    const from = expected.length < length ? expected : expected.subarray(at, at + piece.length);
    compareBytes(piece, from, at);
  }
}

/** VERIFY(10), (12), (16), (32) (SBC-3 5.24): BYTCHK 0 reads, 1 compares all blocks, 3 one block with each. */
export function verify(unit: Unit, command: ScsiCommand, definition: CommandDefinition): Result {
  const { blockSize } = unit;
  const { cdb, context } = command;
  const blocks = definition.address!.blocks(cdb);
  const lba = startOf(unit, command, definition, blocks);
  const bytchk = byteCheck(cdb);
  if (bytchk === 2) throw invalidFieldInCdb(flagByte(cdb), 'BYTCHK 2 is reserved', 2);
  takeFlags(command, definition);
  context.fua = false;
  if (blocks === 0) return;
  const length = blocks * blockSize;
  let expected: Uint8Array | undefined;
  if (bytchk !== compare.nothing) {
    expected = takeDataOut(command, bytchk === compare.allBlocks ? length : blockSize);
  }
  return verifyRange(unit, context, lba * blockSize, length, expected);
}

/**
 * WRITE AND VERIFY(10), (12), (16), (32) (SBC-3 5.35): BYTCHK 0 reads back, 1 compares as well. The blocks are
 * stable when it ends, and no other write comes between writing and reading.
 */
export function writeAndVerify(unit: Unit, command: ScsiCommand, definition: CommandDefinition): Result {
  const { disk, blockSize, locks } = unit;
  const { cdb, context, dataOut } = command;
  const blocks = definition.address!.blocks(cdb);
  const lba = startOf(unit, command, definition, blocks);
  const bytchk = byteCheck(cdb);
  if (bytchk > compare.allBlocks) {
    throw invalidFieldInCdb(flagByte(cdb), `BYTCHK ${bytchk} is not supported`, 2);
  }
  checkWritable(unit);
  takeFlags(command, definition);
  context.fua = true;
  const offset = lba * blockSize;
  const length = deliveredLength(command, blocks * blockSize, blockSize);
  if (length === 0) return;
  return locks.run(offset, offset + length, true, async () => {
    await writeFrom(dataOut, disk, offset, length, blockSize, context);
    await disk.flush?.(context);
    const expected = bytchk === compare.allBlocks ? gather(dataOut.segments, length) : undefined;
    await verifyRange(unit, context, offset, length, expected);
  });
}
