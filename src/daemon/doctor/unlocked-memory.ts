import type { Check } from './finding.js';
import { isLunette, titleOf } from './processes.js';

export const unlockedMemory: Check = {
  id: 'unlocked-memory',
  readsConfigfs: false,
  find(host) {
    return host
      .daemons()
      .filter(isLunette)
      .filter(({ pid }) => /^VmLck:\s*0 kB$/m.test(host.read(`proc/${pid}/status`) ?? ''))
      .map((process) => ({
        id: this.id,
        subject: titleOf(process),
        what: `${titleOf(process)} serves disks, and its program is not locked in memory`,
        why:
          'when memory is short the kernel drops parts of the program, and reads them again when they are needed: if they ' +
          'lie on a disk that this process serves, both wait for ever',
        fix: { command: 'systemctl restart lunette', safe: false },
        advice:
          'run lunette serve with LimitMEMLOCK=infinity, as share/systemd/lunette.service does, or with one of the ' +
          'capabilities CAP_IPC_LOCK and CAP_SYS_RESOURCE. Where no disk of this machine is one that it serves, nothing ' +
          'can happen',
      }));
  },
};
