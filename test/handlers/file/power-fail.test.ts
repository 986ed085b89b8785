import { expect } from 'chai';
import { serve } from '../../conformance/support.js';
import { FileFixture } from './file-fixture.js';
import { PatternWriter } from './pattern-writer.js';
import { WriteLog } from './write-log.js';

const BLOCKS = 512;
const SIZE = BLOCKS * 512;
const COMMANDS = 250;
/** Moments between flushes, beside those right after each. */
const MOMENTS = 150;

/** The same numbers in [0, 1) for the same seed (mulberry32). */
function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

describe('file handler: a power failure', () => {
  const fixture = new FileFixture();

  interface Setting {
    readonly options?: string;
    readonly writeThrough?: boolean;
    /** A disk that does not do what it says. */
    readonly deaf?: boolean;
  }

  /** Write at random, then have the power fail at many moments. @returns what was lost, and at how many moments it was looked */
  async function faults(
    seed: number,
    { options = '', writeThrough = false, deaf = false }: Setting,
  ): Promise<{ found: string[]; moments: number }> {
    const path = fixture.image(SIZE);
    const random = randomNumbers(seed);
    const log = await WriteLog.record(path);
    try {
      const disk = await fixture.open(`${path}${options}`);
      if (deaf) disk.flush = () => undefined;
      const { device, initiator } = serve(disk);
      await initiator.readCapacity();
      if (writeThrough) device.unit.setWriteCache(false);
      const writer = new PatternWriter({
        initiator,
        blocks: BLOCKS,
        random,
        tick: () => log.tick(),
        writeThrough,
      });
      await writer.run(COMMANDS);
      const end = log.tick();
      await device.close();
      const moments = [...log.flushed.filter((at) => at <= end)];
      for (let count = 0; count < MOMENTS; count++) moments.push(Math.floor(random() * end));
      const found = moments.flatMap((at) => writer.fault(log.image(SIZE, at, random), at) ?? []);
      return { found, moments: moments.length };
    } finally {
      log.stop();
    }
  }

  for (const io of ['auto', 'async', 'sync']) {
    for (const writeThrough of [false, true]) {
      const how = writeThrough ? 'write through' : 'with its write cache';
      it(`loses nothing that was flushed, io=${io}, ${how}`, async () => {
        for (let round = 0; round < 3; round++) {
          const seed = Math.floor(Math.random() * 2 ** 31);
          const { found, moments } = await faults(seed, { options: `?io=${io}`, writeThrough });
          expect(found, `seed ${seed}, ${moments} moments`).to.deep.equal([]);
          expect(moments).to.be.above(MOMENTS);
        }
      });
    }
  }

  it('would be noticed, if a flush did nothing', async () => {
    const { found } = await faults(1, { deaf: true });
    expect(found).not.to.deep.equal([]);
  });
});
