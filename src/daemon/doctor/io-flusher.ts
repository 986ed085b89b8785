import type { Check } from './finding.js';
import type { Host } from './host.js';
import { statFields, titleOf, type Process } from './processes.js';

/** PF_MEMALLOC_NOIO and PF_LOCAL_THROTTLE of linux/sched.h: what PR_SET_IO_FLUSHER sets (kernel/sys.c). */
const IO_FLUSHER = 0x0018_0000;
/** Which of proc_pid_stat(5)'s fields from the third on holds the thread's flags. */
const FLAGS = 6;

function threadsWithout(host: Host, { pid }: Process): number {
  return host.list(`proc/${pid}/task`).filter((thread) => {
    const stat = host.read(`proc/${pid}/task/${thread}/stat`);
    return stat !== undefined && (Number(statFields(stat)[FLAGS]) & IO_FLUSHER) !== IO_FLUSHER;
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
