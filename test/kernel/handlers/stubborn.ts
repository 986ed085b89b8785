import { existsSync } from 'node:fs';
import { defineHandler, text } from 'lunette';
import { z } from 'zod';

const mib = 2 ** 20;

/** While the file is there, its reads hang, ignore that they are aborted, or keep the event loop from turning. */
export const stubborn = defineHandler({
  name: 'stubborn',
  description: 'A disk whose reads at 1 MiB hang until aborted, at 2 MiB for ever, and at 3 MiB spin for 3 s',
  config: z.object({ bad: text().describe('a file: it behaves well where there is none') }),
  positional: 'bad',
  open({ bad }, { size = 64 * mib, log }) {
    const data = new Uint8Array(size);

    function spinForSeconds(): void {
      for (const end = Date.now() + 3000; Date.now() < end;);
    }

    return {
      size,
      read(buffer, offset, { signal }) {
        buffer.set(data.subarray(offset, offset + buffer.length));
        const place = Math.floor(offset / mib);
        if (place < 1 || place > 3 || !existsSync(bad)) return undefined;
        if (place === 3) return spinForSeconds();
        log.info(`hanging at ${offset}`);
        return new Promise((_, reject) => {
          signal.addEventListener('abort', () => {
            const reason = signal.reason as Error;
            log.info(`told to stop at ${offset}: ${reason.message}`);
            if (place === 1) reject(reason);
          });
        });
      },
      write(buffer, offset) {
        data.set(buffer, offset);
      },
    };
  },
});
