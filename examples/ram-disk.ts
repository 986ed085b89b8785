// A disk in one buffer. Serve it: lunette serve --handler ./examples/ram-disk.ts
// Make one of 64 MiB: targetcli /backstores/user:ram create name=ram1 size=64M cfgstring=
import { defineHandler } from 'lunette';
import { z } from 'zod';

export const ram = defineHandler({
  name: 'ram',
  description: 'A disk in one buffer',
  config: z.object({}),
  open(_config, { size = 64 * 2 ** 20, blockSize }) {
    const bytes = new Uint8Array(size);
    return {
      size,
      blockSize,
      read: (buffer, offset) => buffer.set(bytes.subarray(offset, offset + buffer.length)),
      write: (buffer, offset) => bytes.set(buffer, offset),
    };
  },
});
