import * as z from 'zod';
import { defineHandler } from '../contract.js';
import { blockSize, size } from '../options.js';
import { memoryDisks } from './disk.js';

export const memory = defineHandler({
  ...memoryDisks,
  description: 'A sparse disk in memory: it costs what was written to it, and is gone with the daemon',
  config: z.object({
    size: size().optional().describe('capacity, where the request has none').meta({ example: '1G' }),
    block_size: blockSize().optional().describe('logical block length; default 512'),
    limit: size().optional().describe('memory it may take; a write beyond it fails with "no space"'),
  }),
});
