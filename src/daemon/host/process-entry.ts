import { native } from '../../native/addon.js';
import { createLog } from '../log.js';
import { builtInDisks } from './built-in-disks.js';
import { runHost } from './host-main.js';
import type { FromHost, HostStart, ToHost } from './protocol.js';

/* The first file of a process that serves a device. */

if (!process.send) throw new Error('this file is started by the daemon');

// A service manager, or a terminal, signals the daemon and its hosts alike; when to leave is for the daemon to say.
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => undefined);
// The daemon is gone. The next one goes on from the journal, and waits until this process lets go of the device: also
// where its event loop does not turn, or the daemon had gone before the kernel was asked.
native().dieWithParent();
process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'));

process.once('message', (start) => {
  void runHost(
    {
      post: (message: FromHost) => {
        // A daemon that is gone hears nothing, which `disconnect` tells.
        if (process.connected) process.send?.(message, undefined, undefined, () => undefined);
      },
      onMessage: (listener) => void process.on('message', (message) => listener(message as ToHost)),
      close: () => undefined,
      isMainThread: true,
    },
    start as HostStart,
    createLog,
    async (source) => {
      if (source.modules.length === 0) return builtInDisks(source);
      const { handlerRegistry } = await import('../handler-registry.js');
      return handlerRegistry(source.modules, source.prefix);
    },
  );
});
