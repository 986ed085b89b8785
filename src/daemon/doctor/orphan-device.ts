import type { Check } from './finding.js';
import { tcmuOpeners } from './processes.js';

export const orphanDevice: Check = {
  id: 'orphan-device',
  readsConfigfs: true,
  async find(host) {
    const isOrphan = (uio: string | undefined): boolean => uio !== undefined && !tcmuOpeners(host).has(uio);
    if (!host.devices().some(({ uio }) => isOrphan(uio))) return [];
    // While one daemon takes over from another, nobody has it open for a moment.
    await host.patience();
    const running = host.daemons().length > 0;
    return host
      .devices()
      .filter(({ uio }) => isOrphan(uio))
      .map((device) => {
        const devConfig = host.read(host.attribute(device, 'attrib/dev_config')) ?? '';
        const handler = devConfig.split('/', 1)[0];
        return {
          id: this.id,
          subject: device.title,
          what: `no process serves ${device.title} (${devConfig})`,
          why: 'its commands wait on the ring until LIO fails them after cmd_time_out',
          // Which daemon it was, and with which options, only its owner knows.
          fix: running ? undefined : { command: 'systemctl start lunette', safe: false },
          advice:
            (running ? 'a daemon runs and did not open it: its log says why. ' : '') +
            `It wants the handler '${handler}': start the daemon that has it (lunette serve --handler ... for one ` +
            'of your own), or delete the storage object with targetcli',
        };
      });
  },
};
