import * as z from 'zod';
import { defineHandler } from '../contract.js';
import { blockSize, size } from '../options.js';
import { nullDisks } from './disk.js';

export const nullHandler = defineHandler({
  ...nullDisks,
  description: 'A disk that reads as zeroes and forgets what is written: for measuring everything else',
  config: z.object({
    size: size().optional().describe('capacity, where the request has none').meta({ example: '1G' }),
    block_size: blockSize().optional().describe('logical block length; default 512'),
  }),
});
