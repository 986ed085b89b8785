import { isAbsolute } from 'node:path';
import * as z from 'zod';
import { defineHandler } from '../contract.js';
import { blockSize, flag, size, text } from '../options.js';
import { fileDisks } from './disk.js';

export const file = defineHandler({
  ...fileDisks,
  description: 'A disk in a raw file, or on a block device',
  config: z.object({
    path: text()
      .refine(isAbsolute, {
        message: 'must be absolute, because a daemon has no directory of its own: /srv/disk.img',
      })
      .describe('file or block device, absolute')
      .meta({ example: '/srv/disk.img' }),
    create: flag().default(false).describe('create a missing file, and let one that is too short grow'),
    size: size().optional().describe("capacity, where the request has none; default the file's size"),
    readonly: flag().default(false).describe('refuse writes'),
    direct: flag().default(false).describe('bypass the page cache (O_DIRECT)'),
    io: z
      .enum(['auto', 'async', 'sync'])
      .default('auto')
      .describe('reads and writes in threads, in the event loop, or as the page cache allows'),
    block_size: blockSize().optional().describe('logical block length; default 512'),
  }),
  positional: 'path',
});
