import { existsSync } from 'node:fs';
import { defineHandler, integer, text } from 'lunette';
import { z } from 'zod';

/** A disk that is slow or fails at set places, for the tests of this folder. Reads as zeroes elsewhere. */
const mib = 2 ** 20;

function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

export const moody = defineHandler({
  name: 'moody',
  description: 'A disk that throws at 1 MiB, rejects at 2 MiB, and never answers at 3 MiB',
  config: z.object({
    delay: integer().default(0).describe('milliseconds that each write takes'),
    stuck: text().optional().describe('a file: the disk never opens while it is there'),
  }),
  async open({ delay, stuck }, request) {
    request.log.info('opening');
    if (stuck !== undefined && existsSync(stuck)) await new Promise(() => undefined);
    return {
      size: request.size ?? 64 * mib,
      read(buffer, offset) {
        if (offset === mib) throw new Error('a handler’s mistake');
        if (offset === 2 * mib)
          return Promise.reject(Object.assign(new Error('bad medium'), { code: 'EIO' }));
        if (offset === 3 * mib) return new Promise(() => undefined);
        buffer.fill(0);
        return undefined;
      },
      async write(_buffer, offset) {
        request.log.info(`writing at ${offset}`);
        await sleep(delay);
        request.log.info(`written at ${offset}`);
      },
    };
  },
});
