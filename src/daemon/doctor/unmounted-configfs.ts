import type { Check } from './finding.js';

export const unmountedConfigfs: Check = {
  id: 'unmounted-configfs',
  readsConfigfs: false,
  find(host) {
    const mounts = (host.read('proc/self/mounts') ?? '').split('\n');
    if (mounts.some((line) => / \/sys\/kernel\/config configfs /.test(line))) return [];
    return [
      {
        id: this.id,
        what: 'configfs is not mounted on /sys/kernel/config',
        why: 'targetcli and lunette find LIO’s storage objects there; without it no LUN can be made or served',
        fix: { command: 'mount -t configfs none /sys/kernel/config', safe: true },
      },
    ];
  },
};
