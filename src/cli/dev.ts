import { resolve } from 'node:path';
import type { Daemon } from '../daemon/daemon.js';
import type { Logger } from '../daemon/log.js';
import { describeFailure } from '../scsi/errno.js';
import { SourceWatcher } from '../handlers/watch.js';
import { serve, type ServeOptions } from './serve.js';

/** Milliseconds: whoever edits a handler does not want to wait for one that hangs. */
const PATIENCE = 1000;

/** The message, and the first place in the handler's own code. */
function firstLines(error: unknown): string {
  const { message, stack } = error as Error;
  const at = /^\s+at .*$/m.exec(stack ?? '')?.[0];
  return at === undefined ? message : `${message}\n${at}`;
}

async function reload(daemon: Daemon, module: string, log: Logger): Promise<void> {
  try {
    const outcomes = await daemon.reloadModule(module, { patience: PATIENCE, force: true });
    if (outcomes.length === 0) log.info(`${module}: loaded; no disk uses it yet`);
    for (const { device, stall, error } of outcomes) {
      if (error === undefined)
        log.info({ device, stall }, `${device}: new code after ${stall?.toFixed(1)} ms`);
      else log.error({ device }, `${device}: the old code serves on: ${firstLines(error)}`);
    }
  } catch (error) {
    log.error(`the old code serves on: ${firstLines(error)}`);
  }
}

/** `lunette dev HANDLER.ts`: serve, and put the handler's code under its live disks whenever it is saved. */
export async function dev(module: string, options: ServeOptions): Promise<void> {
  const path = resolve(module);
  await serve(
    { ...options, handler: [...options.handler, path] },
    {
      async onReady(daemon, log) {
        const watcher = await SourceWatcher.start(path, async () => {
          log.info(`${path}: saved`);
          await reload(daemon, path, log).catch((error: unknown) => log.error(describeFailure(error)));
        });
        log.info({ files: watcher.files }, `watching ${watcher.files.length} files`);
        return () => watcher.close();
      },
    },
  );
}
