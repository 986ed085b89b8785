import { shellWord, type Check } from './finding.js';
import type { Host, TcmuObject } from './host.js';

function blocked(host: Host): TcmuObject[] {
  return host
    .devices()
    .filter((device) => host.read(host.attribute(device, 'action/block_dev')) === 'blocked');
}

export const blockedDevice: Check = {
  id: 'blocked-device',
  readsConfigfs: true,
  async find(host) {
    if (blocked(host).length === 0) return [];
    // Who blocks it for a moment is at work.
    await host.patience();
    return blocked(host).map((device) => ({
      id: this.id,
      subject: device.title,
      what: `${device.title} is blocked (action/block_dev)`,
      why: 'each command is answered BUSY: initiators try again until they give up, and I/O stands still',
      fix: { command: `echo 0 >${shellWord(`${device.directory}/action/block_dev`)}`, safe: true },
    }));
  },
};
