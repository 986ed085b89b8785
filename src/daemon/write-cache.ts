import type { Device } from '../device/device.js';
import { hasWriteCache } from '../scsi/unit.js';
import type { ConfigfsDevice } from '../target/configfs.js';
import type { TargetLog } from '../target/log.js';

/**
 * Have LIO's attribute emulate_write_cache and the logical unit say the same. LIO starts with 0, whatever the disk
 * is like, and keeps what an administrator sets; `targetcli saveconfig` saves it, and a restore writes it back.
 * So a new device gets its disk's own, and one that was there before keeps what it had.
 */
export function agreeOnWriteCache(
  { unit, disk, name }: Pick<Device, 'unit' | 'disk' | 'name'>,
  configfs: ConfigfsDevice,
  log: TargetLog,
): void {
  if (!hasWriteCache(disk)) return;
  try {
    if (!configfs.isConfigured()) {
      // Only now: later the kernel would ask us about it, and wait for the answer.
      configfs.setWriteCache(true);
    } else if (configfs.waitsForReply() && !configfs.writeCache()) {
      // Where the kernel does not wait, a device that is configured may be new all the same.
      unit.modes.setWriteCache(false);
      log.info(`${name}: writes through, because its emulate_write_cache is 0`);
    }
  } catch (error) {
    log.debug(`${name}: its emulate_write_cache says nothing: ${(error as Error).message}`);
  }
}
