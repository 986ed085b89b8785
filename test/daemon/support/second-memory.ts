import { defineHandler } from '../../../src/handlers/contract.js';
import { z } from 'zod';

/** Has the name of a built-in handler. */
export const second = defineHandler({
  name: 'memory',
  description: 'Not the built-in one',
  config: z.object({}),
  open: () => ({ size: 512, read: () => undefined }),
});
