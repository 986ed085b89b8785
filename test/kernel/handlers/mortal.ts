import { existsSync, rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { defineHandler, text } from 'lunette';
import { z } from 'zod';

/** A disk in a file, whose host dies of an exception, or a read of which never ends, whenever a certain file is there. */
export const mortal = defineHandler({
  name: 'mortal',
  description: 'A disk in a file; its host dies when told',
  config: z.object({
    path: text().describe('the image'),
    doom: text().describe('a file: the host removes it and dies'),
    hang: text().optional().describe('a file: a read removes it and never ends'),
  }),
  positional: 'path',
  async open({ path, doom, hang }, { size = 64 * 2 ** 20 }) {
    const file = await open(path, existsSync(path) ? 'r+' : 'w+');
    await file.truncate(size);
    const timer = setInterval(() => {
      if (!existsSync(doom)) return;
      rmSync(doom, { force: true });
      throw new Error('told to die');
    }, 10);
    return {
      size,
      async read(buffer, offset) {
        if (hang !== undefined && existsSync(hang)) {
          rmSync(hang);
          await new Promise(() => undefined);
        }
        const { bytesRead } = await file.read(buffer, 0, buffer.length, offset);
        buffer.fill(0, bytesRead);
      },
      async write(buffer, offset) {
        await file.write(buffer, 0, buffer.length, offset);
      },
      async flush() {
        await file.datasync();
      },
      async close() {
        clearInterval(timer);
        await file.close();
      },
    };
  },
});
