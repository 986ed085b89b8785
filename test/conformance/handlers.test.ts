import { execFile } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { promisify } from 'node:util';
import { file } from '../../src/handlers/file/index.js';
import { memory } from '../../src/handlers/memory/index.js';
import { nullHandler } from '../../src/handlers/null/index.js';
import { describeHandlerConformance } from './handler-suite.js';

const run = promisify(execFile);

describeHandlerConformance('memory', {
  handler: memory,
  cfgstring: () => '',
  full: async () => ({ cfgstring: '?limit=1M', release: async () => undefined }),
});

describeHandlerConformance('null', { handler: nullHandler, cfgstring: () => '', keepsData: false });

/** A file system with room for 1 MiB. Needs root; elsewhere the case is not declared. */
async function smallFileSystem(directory: string, options: string) {
  const mountPoint = `${directory}/small`;
  await mkdir(mountPoint);
  await run('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', mountPoint]);
  return {
    cfgstring: `${mountPoint}/disk.img?create=1${options}`,
    release: async () => {
      await run('umount', [mountPoint]);
    },
  };
}

for (const options of ['', '&io=async', '&io=sync', '&direct=1']) {
  describeHandlerConformance(`file${options}`, {
    handler: file,
    cfgstring: (directory) => `${directory}/disk.img?create=1${options}`,
    outlivesClose: true,
    full:
      process.getuid?.() === 0 && options !== '&direct=1'
        ? (directory) => smallFileSystem(directory, options)
        : undefined,
  });
}
