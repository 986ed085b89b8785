import { setTimeout as delay } from 'node:timers/promises';
import { memory } from '../../../dist/handlers/memory/index.js';

/*
 * A memory disk that takes long writes at the pace of a slow medium, so that an operation on all of it lasts long
 * enough to be looked at while it runs.
 */

/** Bytes a second. */
const PACE = 16 * 1024 * 1024;

/** Writes of fewer bytes are what initiators send; they are as fast as memory. */
const LONG = 1024 * 1024;

export const paced = {
  ...memory,
  name: 'paced',
  description: 'A memory disk on which long writes take as long as on a slow medium',
  async open(config, request) {
    const disk = await memory.open(config, request);
    const write = disk.write.bind(disk);
    disk.write = (buffer, offset, context) => {
      write(buffer, offset, context);
      if (buffer.length < LONG) return undefined;
      return delay((buffer.length / PACE) * 1000, undefined, { signal: context.signal });
    };
    return disk;
  },
};
