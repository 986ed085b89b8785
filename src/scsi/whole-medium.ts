import type { BackgroundTask } from './background.js';
import type { Unit } from './unit.js';

/** Bytes written at a time. */
const WRITE_CHUNK = 1024 * 1024;
/** Bytes deallocated or zeroed at a time, where the disk does that by itself. */
const ERASE_CHUNK = 256 * 1024 * 1024;

/** Call `step` for one piece of the medium after the other, with turns for others in between. */
async function inPieces(
  unit: Unit,
  { context, progress }: BackgroundTask,
  chunk: number,
  step: (offset: number, length: number) => void | Promise<void>,
): Promise<void> {
  const size = unit.blocks * unit.blockSize;
  for (let offset = 0; offset < size; offset += chunk) {
    context.signal.throwIfAborted();
    await step(offset, Math.min(chunk, size - offset));
    progress((offset + chunk) / size);
    await unit.pause();
  }
}

/** Keep all other writes off the medium while `job` runs, and make what it did stable. */
export function onWholeMedium(unit: Unit, task: BackgroundTask, job: () => Promise<void>): Promise<void> {
  return unit.locks.run(0, Number.MAX_SAFE_INTEGER, true, async () => {
    await job();
    await unit.disk.flush?.(task.context);
  });
}

/** Write one block all over the medium. @param block one logical block */
export function fillMedium(unit: Unit, task: BackgroundTask, block: Uint8Array): Promise<void> {
  const chunk = new Uint8Array(Math.max(block.length, WRITE_CHUNK));
  for (let at = 0; at < chunk.length; at += block.length) chunk.set(block, at);
  return inPieces(unit, task, chunk.length, (offset, length) =>
    unit.disk.write!(chunk.subarray(0, length), offset, task.context),
  );
}

/** Make the medium read as zeroes, and give up its storage where the disk can. */
export async function zeroMedium(unit: Unit, task: BackgroundTask): Promise<void> {
  const { disk, blockSize } = unit;
  const unmapZeroes = disk.unmap !== undefined && disk.unmapReadsZeroes !== false;
  if (!unmapZeroes) {
    if (disk.writeZeroes) {
      await inPieces(unit, task, ERASE_CHUNK, (offset, length) =>
        disk.writeZeroes!(offset, length, true, task.context),
      );
    } else {
      await fillMedium(unit, task, new Uint8Array(blockSize));
    }
  }
  if (!disk.unmap) return;
  // Last: zeroes that were written must not be what remains allocated.
  await inPieces(unit, task, ERASE_CHUNK, (offset, length) => disk.unmap!(offset, length, task.context));
}
