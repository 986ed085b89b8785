import { plural, type Check } from './finding.js';

const PARAMETER = 'sys/module/target_core_user/parameters/global_max_data_area_mb';
/** The part of the memory that data areas may take. */
const SHARE = 1 / 2;
/** The part that the fix leaves them. */
const FIX_SHARE = 1 / 4;

export const dataArea: Check = {
  id: 'data-area',
  readsConfigfs: true,
  find(host) {
    const total = Number(/^MemTotal:\s*(\d+) kB/m.exec(host.read('proc/meminfo') ?? '')?.[1] ?? 0) / 1024;
    const devices = host.devices().filter(({ uio }) => uio !== undefined);
    const areas = devices.map(
      (device) => host.number(host.attribute(device, 'attrib/max_data_area_mb')) ?? 0,
    );
    const sum = areas.reduce((a, b) => a + b, 0);
    const limit = host.number(PARAMETER) ?? Infinity;
    const most = Math.min(sum, limit);
    if (total === 0 || most <= total * SHARE) return [];
    const better = Math.max(1, Math.floor(total * FIX_SHARE));
    return [
      {
        id: this.id,
        what:
          `the data areas of ${plural(devices.length, 'device', 'devices')} may grow to ${most} MiB together, and ` +
          `this machine has ${Math.floor(total)} MiB of memory`,
        why: 'the pages of a data area cannot be swapped out: under load the machine runs out of memory',
        fix: { command: `echo ${better} >/${PARAMETER}`, safe: true },
        advice:
          `to keep it so: echo 'options target_core_user global_max_data_area_mb=${better}' ` +
          '>/etc/modprobe.d/lunette.conf. A single device takes less with control=max_data_area_mb=N when it is made',
      },
    ];
  },
};
