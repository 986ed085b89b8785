import type { Check } from './finding.js';
import type { Host } from './host.js';
import { statFields, titleOf, type Process } from './processes.js';

/** PF_MEMALLOC_NOIO and PF_LOCAL_THROTTLE of linux/sched.h: what PR_SET_IO_FLUSHER sets (kernel/sys.c). */
const IO_FLUSHER = 0x0018_0000;
/** Which of proc_pid_stat(5)'s fields from the third on holds the thread's flags. */
const FLAGS = 6;

/** SIGTERM's bit in proc_pid_status(5)'s masks. */
const SIGTERM = 1n << 14n;

/**
 * Node's thread that waits for SIGUSR1 to start the debugger blocks all signals, so that setIoFlusher() does not reach
 * it. It does nothing until then, and holds nothing that others wait for.
 */
function blocksSignals(host: Host, folder: string): boolean {
  const mask = /^SigBlk:\s*([0-9a-f]+)$/m.exec(host.read(`${folder}/status`) ?? '')?.[1] ?? '0';
  return (BigInt(`0x${mask}`) & SIGTERM) !== 0n;
}

function threadsWithout(host: Host, { pid }: Process): number {
  return host.list(`proc/${pid}/task`).filter((thread) => {
    const folder = `proc/${pid}/task/${thread}`;
    const stat = host.read(`${folder}/stat`);
    if (stat === undefined || (Number(statFields(stat)[FLAGS]) & IO_FLUSHER) === IO_FLUSHER) return false;
    return !blocksSignals(host, folder);
  }).length;
}

export const ioFlusher: Check = {
  id: 'io-flusher',
  readsConfigfs: false,
  find(host) {
    return host
      .daemons()
      .filter((process) => threadsWithout(host, process) > 0)
      .map((process) => ({
        id: this.id,
        subject: titleOf(process),
        what: `${titleOf(process)} serves disks and is no IO_FLUSHER (prctl PR_SET_IO_FLUSHER)`,
        why:
          'when memory is short the kernel may make it wait until dirty pages are written to a disk, which may be one ' +
          'that it serves itself: both then wait for ever',
        fix: { command: 'systemctl restart lunette', safe: false },
        advice:
          'run lunette serve with the capability CAP_SYS_RESOURCE, as share/systemd/lunette.service does, on Linux 5.6 ' +
          'or later. Where no disk of this machine is one that it serves, nothing can happen',
      }));
  },
};
